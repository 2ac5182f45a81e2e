import { serve } from '@hono/node-server'
import { createWebEventHandler } from '@tokenwell/core/feishu'
import { onEvent, tokens } from '@tokenwell/example-app'
import { Hono } from 'hono'

const app = new Hono()

const handleEvent = createWebEventHandler(tokens, { onEvent, onError: console.error })
app.post('/feishu/events', (context) => handleEvent(context.req.raw))
// … the rest of your app

serve({ fetch: app.fetch, port: Number(process.env.PORT ?? 3000) }, () => console.log('listening'))
