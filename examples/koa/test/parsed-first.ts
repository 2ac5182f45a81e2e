import { bodyParser } from '@koa/bodyparser'
import { createNodeEventHandler } from '@tokenwell/core/feishu'
import { onEvent, tokens } from '@tokenwell/example-app'
import Koa from 'koa'

const app = new Koa()
app.use(bodyParser())
const handleEvent = createNodeEventHandler(tokens, { onEvent })
app.use(async (context) => {
  context.respond = false
  await handleEvent(context.req, context.res)
})
app.listen(process.env.PORT, () => console.log('listening'))
