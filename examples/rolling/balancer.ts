import { once } from 'node:events'
import { Agent, createServer, type IncomingMessage, type ServerResponse, request as send } from 'node:http'
import type { AddressInfo } from 'node:net'
import { PATHS } from './settings.ts'

/** The addresses that requests may be sent to, each in turn. */
class Ring {
  readonly #urls = new Set<string>()
  #turn = 0

  add(url: string): void {
    this.#urls.add(url)
  }

  remove(url: string): void {
    this.#urls.delete(url)
  }

  next(): string | undefined {
    const urls = [...this.#urls]
    return urls[this.#turn++ % urls.length]
  }
}

/** What stands before the services: requests go to those that are ready, events to all that are there. */
export interface Balancer {
  readonly url: string
  /** Those that are ready. */
  readonly ready: Ring
  /** All that are there: who waits for a ticket is not ready, and has to receive it. */
  readonly present: Ring
  stop(): Promise<void>
}

export async function startBalancer(): Promise<Balancer> {
  const [ready, present] = [new Ring(), new Ring()]
  const agent = new Agent({ keepAlive: true })

  function pass(request: IncomingMessage, response: ServerResponse): void {
    const url = (request.url === PATHS.events ? present : ready).next()
    if (url === undefined) {
      response.writeHead(503).end()
      return
    }
    const { method, headers } = request
    const passed = send(`${url}${request.url}`, { method, headers, agent }, (reply) => {
      // Its word on the connection is for this balancer alone.
      const { connection: _, ...rest } = reply.headers
      response.writeHead(reply.statusCode ?? 502, rest)
      reply.pipe(response)
    })
    // Nothing is sent a second time: what a service lost shows.
    passed.on('error', () => (response.headersSent ? response.destroy() : response.writeHead(502).end()))
    request.pipe(passed)
  }

  const server = createServer(pass).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ready,
    present,
    async stop() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      agent.destroy()
      await closed
    },
  }
}
