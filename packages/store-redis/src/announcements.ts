import type { StoreChange } from '@tokenwell/core'
import { presentable, type RedisClient, type RedisServer, type RedisSubscriber } from './client.ts'
import type { Names } from './names.ts'

/** How long opening a subscription may take, milliseconds: a server that stalls accepts connections and says nothing. */
const OPENING_MS = 5_000

/** How long until a connection that ended for good is replaced, milliseconds. */
const REOPEN_MS = 1_000

/**
 * The announcements of one store: a connection of its own while somebody listens, none otherwise.
 *
 * A connection that comes back was deaf for a while: listeners are told of a gap, once it is subscribed again and not before, or a
 * change in between would go unheard. The `Redis` of ioredis connects again by itself; when it has given up, and for a cluster's nodes,
 * which do not, another connection takes its place.
 */
export class Announcements {
  readonly #client: RedisClient
  readonly #names: Names
  readonly #listeners = new Set<{ readonly listener: (change: StoreChange) => void }>()
  #connection: Connection | undefined
  #reopening: NodeJS.Timeout | undefined
  #interrupted = false
  #closed = false

  constructor(client: RedisClient, names: Names) {
    this.#client = client
    this.#names = names
  }

  async subscribe(listener: (change: StoreChange) => void): Promise<() => Promise<void>> {
    if (this.#closed) throw new Error('the store has been closed')
    const subscription = { listener }
    const unsubscribe = async () => {
      if (this.#listeners.delete(subscription) && this.#listeners.size === 0) this.#disconnect()
    }
    this.#listeners.add(subscription)
    try {
      await this.#connected().acknowledged
    } catch (error) {
      await unsubscribe()
      throw error
    }
    return unsubscribe
  }

  close(): void {
    this.#closed = true
    this.#listeners.clear()
    this.#disconnect()
  }

  #connected(): Connection {
    if (this.#connection !== undefined) return this.#connection
    clearTimeout(this.#reopening)
    const connection = new Connection(this.#client, this.#names.channel, {
      message: (text) => this.#hear(text),
      subscribed: () => {
        if (this.#interrupted) this.#tell({ kind: 'gap' })
        this.#interrupted = false
      },
      interrupted: () => {
        this.#interrupted = true
      },
      ended: () => {
        // Given up by this store itself.
        if (this.#connection !== connection) return
        this.#connection = undefined
        if (this.#listeners.size > 0) this.#reopen()
      },
    })
    this.#connection = connection
    return connection
  }

  /** Not once the client itself has been closed: then nobody wants announcements any more. */
  #reopen(): void {
    this.#interrupted = true
    this.#reopening = setTimeout(() => {
      if (this.#listeners.size > 0 && this.#client.status !== 'end') this.#connected()
    }, REOPEN_MS).unref()
  }

  #disconnect(): void {
    clearTimeout(this.#reopening)
    const connection = this.#connection
    this.#connection = undefined
    this.#interrupted = false
    connection?.close()
  }

  #hear(text: string): void {
    const [version = '', ...rest] = text.split(' ')
    const key = this.#names.keyOf(rest.join(' '))
    if (key !== undefined && /^\d+$/.test(version)) this.#tell({ kind: 'changed', key, version: Number(version) })
  }

  #tell(change: StoreChange): void {
    for (const subscription of [...this.#listeners]) {
      if (!this.#listeners.has(subscription)) continue
      try {
        subscription.listener(change)
      } catch {
        // A hint that its listener could not use.
      }
    }
  }
}

interface ConnectionEvents {
  message(text: string): void
  /** The channel is subscribed, for the first time or again. */
  subscribed(): void
  /** It was subscribed, and is not any more. */
  interrupted(): void
  /** It has ended and will not come back. */
  ended(): void
}

/** One connection, subscribed whenever it is ready. */
class Connection {
  /** Settles when the channel is subscribed for the first time, or when that failed; then the connection has ended. */
  readonly acknowledged: Promise<void>
  readonly #events: ConnectionEvents
  readonly #end: (why: Error) => void
  #subscriber: RedisSubscriber | undefined
  #isSubscribed = false
  #hasEnded = false

  constructor(client: RedisClient, channel: string, events: ConnectionEvents) {
    this.#events = events
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const overdue = setTimeout(() => this.#end(new Error(`Redis did not acknowledge a subscription within ${OPENING_MS} ms`)), OPENING_MS)
    overdue.unref()
    this.#end = (why) => {
      if (this.#hasEnded) return
      this.#hasEnded = true
      clearTimeout(overdue)
      reject(presentable(why, client))
      this.#subscriber?.disconnect()
      this.#events.ended()
    }
    this.acknowledged = promise
    this.acknowledged.then(
      () => clearTimeout(overdue),
      () => {},
    )
    this.#open(client, channel, resolve).catch(this.#end)
  }

  close(): void {
    this.#end(new Error('the subscription was ended before it began'))
  }

  async #open(client: RedisClient, channel: string, resolve: () => void): Promise<void> {
    const server = await serverOf(client)
    if (this.#hasEnded) return
    const subscriber = server.duplicate({ lazyConnect: true, autoResubscribe: false })
    this.#subscriber = subscriber
    let reason = new Error('the connection for announcements was closed')
    subscriber.on('error', (error) => {
      reason = error
    })
    // An idle subscription does not keep a process alive.
    subscriber.on('connect', () => subscriber.stream?.unref?.())
    subscriber.on('message', (_, text) => {
      if (!this.#hasEnded) this.#events.message(text)
    })
    subscriber.on('ready', () => {
      subscriber.subscribe(channel).then(() => {
        if (this.#hasEnded) return
        this.#isSubscribed = true
        this.#events.subscribed()
        resolve()
      }, this.#end)
    })
    let wasSubscribed = false
    subscriber.on('close', () => {
      wasSubscribed ||= this.#isSubscribed
      if (!wasSubscribed) this.#end(reason)
      else if (this.#isSubscribed && !this.#hasEnded) this.#events.interrupted()
      this.#isSubscribed = false
    })
    subscriber.on('end', () => this.#end(reason))
    // That it failed is said by `close`, with the reason before it.
    await subscriber.connect().catch(() => {})
  }
}

/** What to duplicate: the client, or any node of a cluster, because a cluster passes announcements on to all of them. */
async function serverOf(client: RedisClient): Promise<Pick<RedisServer, 'duplicate'>> {
  if (!('nodes' in client)) return client
  if (client.nodes('all').length === 0) await client.ping()
  const nodes = client.nodes('all')
  const node = nodes[Math.floor(Math.random() * nodes.length)]
  if (node === undefined) throw new Error('the cluster has no nodes')
  return node
}
