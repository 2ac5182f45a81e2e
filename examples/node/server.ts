import { createServer } from 'node:http'
import { createNodeEventHandler } from '@tokenwell/core/feishu'
import { onEvent, tokens } from '@tokenwell/example-app'

const handleEvent = createNodeEventHandler(tokens, { onEvent, onError: console.error })

const server = createServer((request, response) => {
  if (request.url === '/feishu/events') return handleEvent(request, response)
  // … the rest of your app
  response.writeHead(404).end()
})

server.listen(process.env.PORT ?? 3000, () => console.log('listening'))
