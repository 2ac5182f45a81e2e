import { randomUUID } from 'node:crypto'
import { quotedIdentifier } from './names.ts'
import { dedicatedClient, type PostgresClient, type PostgresPool, type PostgresQuery } from './pool.ts'
import { withClient } from './session.ts'

/** How long opening a connection may take, and how long the answer to a heartbeat, milliseconds. */
const OPENING_MS = 5_000
const HEARTBEAT_MS = 20_000

/** How long a connection has to show that it hears, milliseconds: less than core waits for a subscription. */
const PROBE_MS = 700

export interface ListeningEvents {
  message(text: string): void
  /** From now on changes are heard. */
  listening(): void
  /** It has ended and will not come back. */
  ended(): void
}

/**
 * One connection that listens to a channel, for as long as it lives.
 *
 * A pooler in transaction mode takes the `LISTEN`, and forgets it: the session behind it hears, and belongs to nobody. An address of its
 * own may lead to another database than the pool, where nobody ever says anything. So whoever talks to a pooler, or to an address of its
 * own, must first hear itself called from the pool, while it sits idle as it will from then on.
 */
export class ListeningConnection {
  /** Settles when it listens, or when that failed; then the connection has ended. */
  readonly acknowledged: Promise<void>
  readonly #channel: string
  readonly #events: ListeningEvents
  readonly #probe = Promise.withResolvers<void>()
  readonly #probeText = `probe ${randomUUID()}`
  readonly #end: (why: Error) => void
  #client: PostgresClient | undefined
  #heartbeat: NodeJS.Timeout | undefined
  #isListening = false
  #hasEnded = false

  constructor(pool: PostgresPool, address: string | object | undefined, channel: string, events: ListeningEvents) {
    this.#channel = channel
    this.#events = events
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const overdue = setTimeout(() => this.#end(new Error(`PostgreSQL did not let anybody listen within ${OPENING_MS} ms`)), OPENING_MS)
    overdue.unref()
    this.#end = (why) => {
      if (this.#hasEnded) return
      this.#hasEnded = true
      clearTimeout(overdue)
      clearTimeout(this.#heartbeat)
      reject(why)
      this.#client?.end().catch(() => {})
      // One that does not answer cannot be said goodbye to.
      this.#client?.unref?.()
      this.#events.ended()
    }
    this.acknowledged = promise
    this.acknowledged.then(
      () => clearTimeout(overdue),
      () => {},
    )
    this.#open(pool, address).then(() => {
      if (this.#hasEnded) return
      this.#isListening = true
      // An idle subscription does not keep a process alive.
      this.#client?.unref?.()
      this.#beatLater()
      events.listening()
      resolve()
    }, this.#end)
  }

  close(): void {
    this.#end(new Error('the subscription was ended before it began'))
  }

  async #open(pool: PostgresPool, address: string | object | undefined): Promise<void> {
    const client = dedicatedClient(pool, address)
    this.#client = client
    client.on('error', this.#end)
    client.on('end', () => this.#end(new Error('the connection for announcements was closed')))
    client.on('notification', ({ channel, payload = '' }) => this.#hear(channel, payload))
    await client.connect()
    await client.query(`listen ${quotedIdentifier(this.#channel)}`)
    const { rows } = await client.query('select pg_backend_pid()::text as pid')
    const [row] = rows as readonly { readonly pid: string }[]
    if (row?.pid !== String(client.processID)) await this.#expectProbe(pool, 'the connection goes through a pooler in transaction mode')
    else if (address !== undefined) await this.#expectProbe(pool, 'listen leads to another database than the pool')
  }

  async #expectProbe(pool: PostgresPool, otherwise: string): Promise<void> {
    const signal = AbortSignal.timeout(PROBE_MS)
    const unheard = Promise.withResolvers<never>()
    let isSent = false
    const giveUp = () => {
      const why = isSent
        ? `announcements do not come through: ${otherwise}; set listen to the address of the server itself, or to false`
        : `it is not known whether announcements come through: the pool sent none within ${PROBE_MS} ms`
      unheard.reject(new Error(why))
    }
    signal.addEventListener('abort', giveUp, { once: true })
    const send = (client: PostgresQuery) => client.query('select pg_notify($1, $2)', [this.#channel, this.#probeText])
    const sent = withClient(pool, signal, send).then(() => {
      isSent = true
    })
    sent.catch(() => {})
    try {
      await Promise.race([this.#probe.promise, unheard.promise])
    } finally {
      signal.removeEventListener('abort', giveUp)
    }
  }

  #hear(channel: string, payload: string): void {
    if (this.#hasEnded || channel !== this.#channel) return
    if (payload === this.#probeText) this.#probe.resolve()
    else if (this.#isListening) this.#events.message(payload)
  }

  #beatLater(): void {
    this.#heartbeat = setTimeout(() => this.#beat(), HEARTBEAT_MS).unref()
  }

  /** Asks whether it still listens: a connection can be dead for long before the system says so, or have been given another session. */
  #beat(): void {
    const lost = () => this.#end(new Error('the connection for announcements does not answer'))
    this.#heartbeat = setTimeout(lost, OPENING_MS).unref()
    this.#client?.query('select from pg_listening_channels() as channel where channel = $1', [this.#channel]).then(({ rows }) => {
      if (this.#hasEnded) return
      clearTimeout(this.#heartbeat)
      if (rows.length === 0) lost()
      else this.#beatLater()
    }, this.#end)
  }
}
