import { resolve } from 'node:path'
import type { Claim, Operation, Publication, TokenStore } from '@tokenwell/core'
import type { Arguments } from './connection.ts'
import { Database } from './database.ts'
import type { Answer } from './row.ts'
import { type Question, type Sources, sources } from './statements.ts'

export interface SqliteStoreOptions {
  /** The file, on a local disk. Made with mode 0600 if it is not there; its folder must be. A relative path counts from where the process is now. */
  readonly path: string
  /**
   * When a write has happened: `full`, once it is on the disk, so that a power cut cannot take it back; `normal`, once the operating system
   * has it, so that only the end of a process cannot. Default `full`.
   */
  readonly synchronous?: 'full' | 'normal'
}

/** Records in one SQLite file, shared by all processes of a machine that use the same path. Opened by the first operation. */
export function sqliteStore(options: SqliteStoreOptions): TokenStore {
  return storeWith(sources, options)
}

/** A store with these statements. An argument, so that the conformance suite can be shown statements that break a rule. */
export function storeWith(statements: Sources, { path, synchronous = 'full' }: SqliteStoreOptions): TokenStore {
  if (typeof path !== 'string' || path === '' || path.includes('\0') || path.startsWith('file:')) {
    throw new TypeError(`path: expected the path of a file, not a URL, got ${JSON.stringify(path)}`)
  }
  if (path === ':memory:') {
    throw new TypeError(
      'path: expected the path of a file, got ":memory:"; memoryStore() of @tokenwell/store-memory keeps records in memory',
    )
  }
  if (synchronous !== 'full' && synchronous !== 'normal') {
    throw new TypeError(`synchronous: expected 'full' or 'normal', got ${JSON.stringify(synchronous)}`)
  }
  const database = new Database(resolve(path), synchronous, statements)

  async function call(question: Question, key: string, args: Arguments, { signal }: Operation): Promise<Answer> {
    text('key', key)
    return database.carryOut(question, key, args, signal)
  }

  return {
    contractVersion: 1,
    capabilities: { shared: true, durable: true, push: false },

    async read(keys, { signal }) {
      // Where there are no keys there is nobody else to say so.
      signal.throwIfAborted()
      return Promise.all(keys.map(async (key) => (await database.ask('read', text('key', key), {}, signal)).snapshot))
    },

    async claim(key, attempt, { leaseMs, seen, rejected, config }, operation) {
      const args = {
        attempt: text('attempt', attempt),
        lease: microseconds(leaseMs),
        seen: integer('seen', seen),
        rejected: integer('rejected', rejected),
        config: config === undefined ? null : text('config', config),
      }
      const { kind, fence, takeover, snapshot } = await call('claim', key, args, operation)
      const claimed = oneOf(['granted', 'fresh', 'backoff', 'held'], kind)
      return claimed === 'granted' ? { kind: claimed, fence, takeover, snapshot } : { kind: claimed, snapshot }
    },

    async publish(key, attempt, fence, { value, renewInMs, expiresInMs, basedOn, quietMs, maxAheadMs }, operation) {
      if (fence < 1) throw new RangeError(`fence: expected a safe integer of at least 1, got ${fence}`)
      const args = {
        attempt: text('attempt', attempt),
        fence: integer('fence', fence),
        value: text('value', value),
        renewIn: microseconds(renewInMs),
        expiresIn: microseconds(expiresInMs),
        basedOn: basedOn === undefined ? null : integer('basedOn', basedOn),
        quiet: quietMs === undefined ? null : microseconds(quietMs),
        maxAhead: maxAheadMs === undefined ? null : microseconds(maxAheadMs),
      }
      const { kind, snapshot } = await call('publish', key, args, operation)
      return { kind: oneOf(['accepted', 'superseded', 'refused'], kind), snapshot }
    },

    async settle(key, attempt, fence, { backoffMs, failure = '', config }, operation) {
      const args = {
        attempt: text('attempt', attempt),
        fence: integer('fence', fence),
        backoff: microseconds(backoffMs),
        failure: text('failure', failure),
        config: config === undefined ? null : text('config', config),
      }
      const { snapshot } = await call('settle', key, args, operation)
      return snapshot
    },

    async invalidate(key, version, operation) {
      const { snapshot } = await call('invalidate', key, { version: integer('version', version) }, operation)
      return snapshot
    },

    async close() {
      database.close()
    },
  }
}

function oneOf<Kind extends (Claim | Publication)['kind']>(kinds: readonly Kind[], kind: string): Kind {
  const found = kinds.find((each) => each === kind)
  if (found === undefined) throw new Error(`a statement of the store answered ${JSON.stringify(kind)}, expected ${kinds.join(', ')}`)
  return found
}

/**
 * Half a surrogate pair has no UTF-8: it would come back as another character, and two keys could become one. Text that SQLite answers ends
 * at U+0000 for Node 22.
 */
function text(what: string, characters: string): string {
  if (characters.includes('\0')) throw new TypeError(`${what}: expected no U+0000`)
  if (!characters.isWellFormed()) throw new TypeError(`${what}: expected well-formed Unicode`)
  return characters
}

function microseconds(ms: number): bigint {
  return integer('a duration in microseconds', Math.floor(ms * 1000))
}

function integer(what: string, number: number): bigint {
  if (!Number.isSafeInteger(number)) throw new RangeError(`${what}: expected a safe integer, got ${number}`)
  return BigInt(number)
}
