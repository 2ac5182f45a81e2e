import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import { createNodeEventHandler } from '@tokenwell/core/feishu'
import { onEvent, tokens } from '@tokenwell/example-app'

const handleEvent = createNodeEventHandler(tokens, { onEvent })

const server = createServer(async (request, response) => {
  console.log('received', (await text(request)).length, 'characters')
  await handleEvent(request, response)
})

server.listen(process.env.PORT, () => console.log('listening'))
