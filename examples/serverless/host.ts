/** A host as small as one can be: it hands requests to the handler, and says when a call is over. Who freezes it does so from outside. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { handler } from './handler.ts'

let calls = 0

async function call(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const number = ++calls
  const { method = 'GET', url = '/' } = incoming
  const headers = new Headers(Object.entries(incoming.headers).map(([name, value]): [string, string] => [name, String(value)]))
  const body = method === 'POST' ? new Uint8Array(await buffer(incoming)) : null
  const waitedFor: Promise<unknown>[] = []
  const reply = await handler(new Request(`http://localhost${url}`, { method, headers, body }), {
    waitUntil: (work) => waitedFor.push(work),
  })
  outgoing.writeHead(reply.status, Object.fromEntries(reply.headers)).end(await reply.text())
  await Promise.allSettled(waitedFor)
  console.log(`call ${number} is over`)
}

createServer((incoming, outgoing) => void call(incoming, outgoing)).listen(process.env.PORT ?? 3000, () => console.log('listening'))
