import { createNodeEventHandler } from '@tokenwell/core/feishu'
import { onEvent, tokens } from '@tokenwell/example-app'
import express from 'express'

const app = express()

// Before any body parser: it reads the raw body itself.
app.post('/feishu/events', createNodeEventHandler(tokens, { onEvent, onError: console.error }))

app.use(express.json())
// … the rest of your app

app.listen(process.env.PORT ?? 3000, () => console.log('listening'))
