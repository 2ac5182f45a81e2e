import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface ProxyOptions {
  /** Of the server behind it, on this machine. */
  readonly port: number
  /** How long everything is under way, each way, as on a network. Default: 0. */
  readonly delayMs?: number
}

/**
 * A way to a server on which everything can go wrong that goes wrong on a network. Faults concern every connection, those that come
 * later too, and last until the next one or until `heal`.
 */
export interface TcpProxy {
  readonly port: number
  /** How many connections are open on it. */
  readonly connections: number
  /** The server gets what clients send; they do not get its answers, also not later. */
  swallowReplies(): void
  /** What clients send is kept, and delivered by `release` or `heal`, also for a client that has gone meanwhile. */
  holdRequests(): void
  /** What the server answers is kept, and delivered by `release` or `heal`. */
  holdReplies(): void
  /** Delivers what was kept, in its order, and keeps nothing any more. */
  release(): void
  /** Ends every connection, and every new one at once. What was kept is lost. */
  cut(): void
  /** Ends every connection, once: new ones are carried as before. */
  reset(): void
  /** From the next connection on it leads to this port; connections that are open stay where they are. */
  redirect(port: number): void
  /** No fault any more. A connection that lost something ends: on a real network nothing is missing in the middle of one. */
  heal(): void
  /** Ends it and every connection. */
  stop(): Promise<void>
}

type Fault = 'none' | 'swallow-replies' | 'hold-requests' | 'hold-replies' | 'cut'

/** A proxy in front of a server, on a port of its own. Carries everything as it is until it is told otherwise. */
export async function startProxy({ port, delayMs = 0 }: ProxyOptions): Promise<TcpProxy> {
  const links = new Set<Link>()
  let fault: Fault = 'none'
  let target = port

  const listener = createServer((client) => {
    if (fault === 'cut') {
      client.on('error', () => {})
      client.destroy()
      return
    }
    const link = new Link(client, connect(target, '127.0.0.1'), () => fault, delayMs)
    links.add(link)
    link.ended.then(() => links.delete(link))
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')

  function turn(next: Fault): void {
    fault = next
    for (const link of links) {
      if (fault === 'cut') link.end()
      else link.flush()
    }
  }

  return {
    port: (listener.address() as AddressInfo).port,
    get connections() {
      return [...links].filter(({ isLeft }) => !isLeft).length
    },
    swallowReplies: () => turn('swallow-replies'),
    holdRequests: () => turn('hold-requests'),
    holdReplies: () => turn('hold-replies'),
    release: () => turn('none'),
    cut: () => turn('cut'),
    reset() {
      for (const link of links) link.end()
    },
    redirect(next) {
      target = next
    },
    heal() {
      for (const link of links) if (link.hasLost) link.end()
      turn('none')
    },
    async stop() {
      const closed = once(listener, 'close')
      listener.close()
      turn('cut')
      await closed
    },
  }
}

/** One client's connection and the one to the server that goes with it. */
class Link {
  readonly ended: Promise<unknown>
  readonly #client: Socket
  readonly #server: Socket
  readonly #fault: () => Fault
  readonly #requests: Buffer[] = []
  readonly #replies: Buffer[] = []
  #hasLost = false
  #isLeft = false

  constructor(client: Socket, server: Socket, fault: () => Fault, delayMs: number) {
    this.#client = client
    this.#server = server
    this.#fault = fault
    this.ended = Promise.all([closed(client), closed(server)])
    for (const socket of [client, server]) socket.setNoDelay().on('error', () => {})
    // Timers of one length fire in the order in which they were set.
    const arrives = (what: () => void) => (delayMs === 0 ? what() : setTimeout(what, delayMs))
    client.on('data', (bytes) =>
      arrives(() => {
        this.#requests.push(bytes)
        this.flush()
      }),
    )
    server.on('data', (bytes) =>
      arrives(() => {
        this.#replies.push(bytes)
        this.flush()
      }),
    )
    client.on('close', () =>
      arrives(() => {
        this.#isLeft = true
        this.flush()
      }),
    )
    // An answer that is kept back does not hide that the server has gone.
    server.on('close', () => arrives(() => client.destroy()))
  }

  /** Something that was sent on it was not delivered, and never will be. */
  get hasLost(): boolean {
    return this.#hasLost
  }

  /** The client has gone; what it had sent may still be kept for the server. */
  get isLeft(): boolean {
    return this.#isLeft
  }

  /** Delivers what may be delivered now. */
  flush(): void {
    const fault = this.#fault()
    if (fault !== 'hold-requests') for (const bytes of this.#requests.splice(0)) this.#server.write(bytes)
    if (fault === 'swallow-replies') this.#hasLost = this.#replies.splice(0).length > 0 || this.#hasLost
    else if (fault !== 'hold-replies' && !this.#hasLost) for (const bytes of this.#replies.splice(0)) this.#client.write(bytes)
    if (this.#isLeft && this.#requests.length === 0) this.#server.end()
  }

  end(): void {
    this.#requests.length = 0
    this.#client.destroy()
    this.#server.destroy()
  }
}

/** Also of one that an error ended. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('close', () => resolve())
  })
}
