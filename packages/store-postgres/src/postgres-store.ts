import { randomBytes } from 'node:crypto'
import type { Operation, TokenStore } from '@tokenwell/core'
import { Announcements } from './announcements.ts'
import { isOutdated } from './errors.ts'
import { type Migration, migrations } from './migrations.ts'
import { isName, type Names, names } from './names.ts'
import type { PostgresPool } from './pool.ts'
import { parseReply, type Reply, written } from './reply.ts'
import { Schema } from './schema.ts'
import { send } from './session.ts'
import { type Statements, statementsOf } from './statements.ts'

/** One publication in so many is followed by a look for records to forget. */
const COLLECTED_BY_ONE_IN = 100

export interface PostgresStoreOptions {
  /** Your own `Pool` of `pg`, of 8.11 or later. It stays yours: the store never ends it. */
  readonly pool: PostgresPool
  /** Where the tables are, 1 to 63 bytes. Keeps several stores in one database apart. Default `tokenwell`. */
  readonly schema?: string
  /**
   * Whether to hear of changes made by others: over one connection more, made like those of the pool (`true`, the default), or to this
   * address or with this configuration of `pg`'s `Client`, for a pool that goes through a pooler in transaction mode. `false`: waiting
   * callers look again after a while.
   */
  readonly listen?: boolean | string | object
  /** Whether to make the tables where they are missing, before the first operation. Default `true`. See `migrationSql`. */
  readonly migrate?: boolean
}

/** What a test may put in place of what is shipped. */
export interface Parts {
  readonly statements: (names: Names) => Statements
  readonly migrations: readonly Migration[]
}

export const shipped: Parts = { statements: statementsOf, migrations }

/** Records in PostgreSQL, shared by every process that uses the same database and `schema`. */
export function postgresStore(options: PostgresStoreOptions): TokenStore {
  return storeWith(shipped, options)
}

/** A store with these parts. An argument, so that the conformance suite can be shown statements that break a rule. */
export function storeWith(parts: Parts, { pool, schema = 'tokenwell', listen = true, migrate = true }: PostgresStoreOptions): TokenStore {
  check(pool, schema, listen, migrate)
  const statements = parts.statements(names(schema))
  const tables = new Schema({ pool, schema, migrate, migrations: parts.migrations })
  const announcements = listen === false ? undefined : new Announcements(pool, schema, listen === true ? undefined : listen)
  const closing = new AbortController()

  // The end of an idle connection is an event of the pool. Nobody listening, it would end the process.
  if (pool.listenerCount('error') === 0) pool.on('error', () => {})

  async function ask(statement: string, values: readonly unknown[], { signal }: Operation): Promise<unknown> {
    signal.throwIfAborted()
    closing.signal.throwIfAborted()
    await tables.ready(signal)
    try {
      return written((await send(pool, statement, values, signal)).rows)
    } catch (error) {
      if (isOutdated(error)) tables.doubt()
      throw error
    }
  }

  async function call(statement: string, key: string, values: readonly unknown[], operation: Operation): Promise<Reply> {
    return parseReply(key, await ask(statement, [text('key', key), ...values], operation))
  }

  /** Best effort, and nobody waits for it: what it forgets is long over, and what it does not will be met again. */
  function collect(): void {
    if (Math.random() * COLLECTED_BY_ONE_IN >= 1) return
    send(pool, statements.collect, [randomBytes(32)], AbortSignal.any([closing.signal, AbortSignal.timeout(5_000)])).catch(() => {})
  }

  return {
    contractVersion: 1,
    capabilities: { shared: true, durable: true, push: announcements !== undefined },

    async read(keys, operation) {
      const replies = (await ask(statements.read, [keys.map((key) => text('key', key))], operation)) as readonly unknown[]
      return keys.map((key, index) => parseReply(key, replies[index]).snapshot)
    },

    async claim(key, attempt, { leaseMs, seen, rejected, config }, operation) {
      const values = [attempt, microseconds(leaseMs), integer('seen', seen), integer('rejected', rejected), config ?? null]
      const { outcome, fence, takeover, snapshot } = await call(statements.claim, key, values, operation)
      switch (outcome) {
        case 'fresh':
        case 'backoff':
        case 'held':
          return { kind: outcome, snapshot }
        case 'granted':
        case 'repeated':
          return { kind: 'granted', fence, takeover, snapshot }
        default:
          throw unexpected('claim', outcome)
      }
    },

    async publish(key, attempt, fence, request, operation) {
      if (fence < 1) throw new RangeError(`fence: expected a safe integer of at least 1, got ${fence}`)
      const { value, renewInMs, expiresInMs, basedOn, quietMs, maxAheadMs } = request
      const { outcome, snapshot } = await call(
        statements.publish,
        key,
        [
          attempt,
          integer('fence', fence),
          text('value', value),
          microseconds(renewInMs),
          microseconds(expiresInMs),
          basedOn === undefined ? null : integer('basedOn', basedOn),
          quietMs === undefined ? null : microseconds(quietMs),
          maxAheadMs === undefined ? null : microseconds(maxAheadMs),
        ],
        operation,
      )
      switch (outcome) {
        case 'accepted':
          collect()
          return { kind: outcome, snapshot }
        case 'repeated':
          return { kind: 'accepted', snapshot }
        case 'superseded':
        case 'refused':
          return { kind: outcome, snapshot }
        default:
          throw unexpected('publish', outcome)
      }
    },

    async settle(key, attempt, fence, { backoffMs, failure = '', config }, operation) {
      const values = [attempt, integer('fence', fence), microseconds(backoffMs), text('failure', failure), config ?? null]
      return (await call(statements.settle, key, values, operation)).snapshot
    },

    async invalidate(key, version, operation) {
      return (await call(statements.invalidate, key, [integer('version', version)], operation)).snapshot
    },

    ...(announcements && { subscribe: (listener) => announcements.subscribe(listener) }),

    async close() {
      closing.abort(new Error('the store has been closed'))
      announcements?.close()
    },
  }
}

function check(pool: unknown, schema: unknown, listen: unknown, migrate: unknown): void {
  const { connect, options } = (pool ?? {}) as Partial<PostgresPool>
  // A `Client` connects too, but has no options.
  if (typeof connect !== 'function' || typeof options !== 'object') {
    throw new TypeError(`pool: expected a Pool of pg, got ${pool === null ? 'null' : typeof pool}`)
  }
  if (!isName(schema)) {
    // An object may be the configuration of a connection, with a password.
    throw new TypeError(
      `schema: expected a name of 1 to 63 bytes, got ${typeof schema === 'string' ? JSON.stringify(schema) : typeof schema}`,
    )
  }
  if (typeof listen !== 'boolean' && typeof listen !== 'string' && (typeof listen !== 'object' || listen === null)) {
    throw new TypeError(
      `listen: expected true, false, a connection string or a configuration of pg's Client, got ${listen === null ? 'null' : typeof listen}`,
    )
  }
  if (typeof migrate !== 'boolean') throw new TypeError(`migrate: expected true or false, got ${typeof migrate}`)
}

function unexpected(operation: string, outcome: string | null): Error {
  return new Error(`the ${operation} of the store was answered ${JSON.stringify(outcome)}: do other triggers or rules write to its table?`)
}

/** PostgreSQL has no U+0000, and half a surrogate pair has no UTF-8: it would come back as another character. */
function text(what: string, text: string): string {
  if (text.includes('\0') || !text.isWellFormed()) throw new TypeError(`${what}: expected well-formed Unicode without U+0000`)
  return text
}

function microseconds(ms: number): string {
  return integer('a duration in microseconds', Math.floor(ms * 1000))
}

function integer(what: string, number: number): string {
  if (!Number.isSafeInteger(number)) throw new RangeError(`${what}: expected a safe integer, got ${number}`)
  return String(number)
}
