import { setTimeout as passed } from 'node:timers/promises'
import { codeOf, isConnectionLoss, isMissing, presentable } from './errors.ts'
import { claimMigration, createMigrations, createSchema, type Migration } from './migrations.ts'
import { names } from './names.ts'
import type { PostgresPool, PostgresQuery } from './pool.ts'
import { withClient } from './session.ts'
import { fill } from './sources.ts'

/** How long one try may take, milliseconds. Operations wait for it no longer than they themselves may. */
const OVERDUE_MS = 30_000

/** How often it is looked again what others, who do the same at the same moment, have made of it. */
const LOOKS = 50
const PAUSE_MS = 50

/** Such exists already, or will; a deadlock; a catalog row that somebody else has just changed. */
const RACES = new Set(['23505', '42P06', '42P07', '42710', '40001', '40P01', 'XX000'])

export interface SchemaOptions {
  readonly pool: PostgresPool
  readonly schema: string
  readonly migrate: boolean
  readonly migrations: readonly Migration[]
}

/** The tables of one store: looked at before its first operation, and made if they are not there. */
export class Schema {
  readonly #options: SchemaOptions
  #isReady = false
  #trying: Promise<void> | undefined

  constructor(options: SchemaOptions) {
    this.#options = options
  }

  /** Resolves once the tables are there. A try that failed is made again by the next operation. */
  async ready(signal: AbortSignal): Promise<void> {
    if (this.#isReady) return
    this.#trying ??= this.#bringUp().finally(() => {
      this.#trying = undefined
    })
    const { promise: givenUp, reject } = Promise.withResolvers<never>()
    const giveUp = () => reject(signal.reason)
    signal.addEventListener('abort', giveUp, { once: true })
    try {
      await Promise.race([this.#trying, givenUp])
    } finally {
      signal.removeEventListener('abort', giveUp)
    }
  }

  /** Lets the next operation look again: a server that lacks the last minutes may have taken over, or the schema was dropped. */
  doubt(): void {
    this.#isReady = false
  }

  async #bringUp(): Promise<void> {
    const signal = AbortSignal.timeout(OVERDUE_MS)
    for (let looks = 1; ; looks++) {
      try {
        await withClient(this.#options.pool, signal, (client) => this.#bringUpWith(client))
        this.#isReady = true
        return
      } catch (error) {
        const again = RACES.has(codeOf(error) ?? '') || isConnectionLoss(error)
        if (signal.aborted || !again || looks === LOOKS) throw presentable(error)
      }
      await passed(Math.random() * PAUSE_MS)
    }
  }

  async #bringUpWith(client: PostgresQuery): Promise<void> {
    const { schema, migrate, migrations } = this.#options
    const own = names(schema)
    const known = migrations.at(-1)?.id ?? 0
    const { id, lowest } = await this.#found(client)
    if (known < lowest) {
      throw new Error(
        `the schema ${own.schema} is at migration ${id} and needs a program that knows migration ${lowest}; this version of ` +
          `@tokenwell/store-postgres knows ${known}: update it on this node, or give it a schema of its own`,
      )
    }
    const missing = migrations.filter((each) => each.id > id)
    if (missing.length === 0) return
    if (!migrate) {
      throw new Error(
        `the schema ${own.schema} lacks migration ${missing.map((each) => each.id).join(', ')} of @tokenwell/store-postgres: run what ` +
          'migrationSql() returns, or leave migrate on',
      )
    }
    if (id === 0) {
      // Whoever may not make schemas may not even try to, although it exists.
      const { rows } = await client.query('select from pg_namespace where nspname = $1', [schema])
      if (rows.length === 0) await client.query(createSchema(own))
      await client.query(createMigrations(own))
    }
    for (const each of missing) {
      await transaction(client, [claimMigration(own, each), ...each.sources.map((source) => fill(source, own))])
    }
  }

  /** The newest migration that was applied; 0 for none. */
  async #found(client: PostgresQuery): Promise<{ readonly id: number; readonly lowest: number }> {
    const { schema } = names(this.#options.schema)
    try {
      const { rows } = await client.query(`select id::text, lowest::text from ${schema}.migrations order by id desc limit 1`)
      const [row] = rows as readonly { readonly id: string; readonly lowest: string }[]
      return { id: Number(row?.id ?? 0), lowest: Number(row?.lowest ?? 0) }
    } catch (error) {
      if (isMissing(error)) return { id: 0, lowest: 0 }
      throw error
    }
  }
}

async function transaction(client: PostgresQuery, statements: readonly string[]): Promise<void> {
  await client.query('begin isolation level read committed')
  try {
    for (const statement of statements) await client.query(statement)
    await client.query('commit')
  } catch (error) {
    // Where even this fails the connection is gone, and the pool knows.
    await client.query('rollback').catch(() => {})
    throw error
  }
}
