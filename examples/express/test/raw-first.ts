import { createNodeEventHandler } from '@tokenwell/core/feishu'
import { onEvent, tokens } from '@tokenwell/example-app'
import express from 'express'

const app = express()
app.post('/feishu/events', express.raw({ type: '*/*' }), createNodeEventHandler(tokens, { onEvent }))
app.listen(process.env.PORT, () => console.log('listening'))
