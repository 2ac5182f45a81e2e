import type { StoreChange } from '@tokenwell/core'
import { presentable } from './errors.ts'
import { ListeningConnection } from './listening-connection.ts'
import type { PostgresPool } from './pool.ts'

/** How long until a connection that was lost is replaced, milliseconds; grows while that fails, with chance: all nodes lost theirs. */
const REOPEN_MS = 500
const REOPEN_AT_MOST_MS = 30_000

/**
 * The announcements of one store: a connection of its own while somebody listens, none otherwise.
 *
 * A connection that was replaced was deaf for a while: listeners are told of a gap, once it listens again and not before, or a change in
 * between would go unheard.
 */
export class Announcements {
  readonly #pool: PostgresPool
  readonly #schema: string
  readonly #address: string | object | undefined
  readonly #listeners = new Set<{ readonly listener: (change: StoreChange) => void }>()
  #connection: ListeningConnection | undefined
  #reopening: NodeJS.Timeout | undefined
  #failures = 0
  #wasHeard = false
  #closed = false

  /** `address`: where to, if not where the pool goes. */
  constructor(pool: PostgresPool, schema: string, address: string | object | undefined) {
    this.#pool = pool
    this.#schema = schema
    this.#address = address
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
      throw presentable(error)
    }
    return unsubscribe
  }

  close(): void {
    this.#closed = true
    this.#listeners.clear()
    this.#disconnect()
  }

  #connected(): ListeningConnection {
    if (this.#connection !== undefined) return this.#connection
    clearTimeout(this.#reopening)
    const connection = new ListeningConnection(this.#pool, this.#address, this.#schema, {
      message: (text) => this.#hear(text),
      listening: () => {
        this.#failures = 0
        if (this.#wasHeard) this.#tell({ kind: 'gap' })
        this.#wasHeard = true
      },
      ended: () => {
        // Given up by this store itself.
        if (this.#connection !== connection) return
        this.#connection = undefined
        if (this.#listeners.size > 0 && this.#wasHeard) this.#reopen()
      },
    })
    this.#connection = connection
    return connection
  }

  #reopen(): void {
    const most = Math.min(REOPEN_AT_MOST_MS, REOPEN_MS * 2 ** this.#failures++)
    this.#reopening = setTimeout(
      () => {
        if (this.#listeners.size > 0) this.#connected()
      },
      most * (0.5 + Math.random() / 2),
    ).unref()
  }

  #disconnect(): void {
    clearTimeout(this.#reopening)
    const connection = this.#connection
    this.#connection = undefined
    this.#wasHeard = false
    this.#failures = 0
    connection?.close()
  }

  #hear(text: string): void {
    const [, version, key] = /^(\d{1,16}) (.*)$/s.exec(text) ?? []
    if (version !== undefined && key !== undefined) this.#tell({ kind: 'changed', key, version: Number(version) })
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
