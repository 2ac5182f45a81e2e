import { bodyParser } from '@koa/bodyparser'
import { createNodeEventHandler } from '@tokenwell/core/feishu'
import { onEvent, tokens } from '@tokenwell/example-app'
import Koa from 'koa'

const app = new Koa()

// Before any body parser: it reads the raw body itself, and answers itself.
const handleEvent = createNodeEventHandler(tokens, { onEvent, onError: console.error })
app.use(async (context, next) => {
  if (context.path !== '/feishu/events') return next()
  context.respond = false
  await handleEvent(context.req, context.res)
})

app.use(bodyParser())
// … the rest of your app

app.listen(process.env.PORT ?? 3000, () => console.log('listening'))
