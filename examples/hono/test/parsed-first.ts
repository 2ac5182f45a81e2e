import { serve } from '@hono/node-server'
import { createWebEventHandler } from '@tokenwell/core/feishu'
import { onEvent, tokens } from '@tokenwell/example-app'
import { Hono } from 'hono'

const app = new Hono()
app.on('POST', '*', async (context, next) => {
  console.log('received', Object.keys(await context.req.json()))
  await next()
})
const handleEvent = createWebEventHandler(tokens, { onEvent })
app.post('/feishu/events', (context) => handleEvent(context.req.raw))
serve({ fetch: app.fetch, port: Number(process.env.PORT) }, () => console.log('listening'))
