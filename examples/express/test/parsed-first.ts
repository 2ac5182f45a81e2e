import { createNodeEventHandler } from '@tokenwell/core/feishu'
import { onEvent, tokens } from '@tokenwell/example-app'
import express from 'express'

const app = express()
app.use(express.json())
app.post('/feishu/events', createNodeEventHandler(tokens, { onEvent }))
app.listen(process.env.PORT, () => console.log('listening'))
