import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterTest, parse } from './client.ts'

/** What a callback URL received. */
export interface Received {
  readonly headers: IncomingHttpHeaders
  readonly text: string
  readonly json: Readonly<Record<string, unknown>>
}

/** A callback URL that keeps what it gets. */
export interface Callback {
  readonly url: string
  readonly received: readonly Received[]
}

/** Listens on a free port until the test ends; `reply` answers, 200 by default. */
export async function callbackUrl(
  reply: (response: ServerResponse, received: Received) => void = (response) => response.end('{}'),
): Promise<Callback> {
  const received: Received[] = []
  const server = createServer(async (request, response) => {
    let text = ''
    for await (const chunk of request.setEncoding('utf8')) text += chunk
    const event = { headers: request.headers, text, json: parse(text) }
    received.push(event)
    reply(response, event)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  afterTest(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/events`, received }
}
