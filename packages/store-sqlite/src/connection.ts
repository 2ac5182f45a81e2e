import { closeSync, lstatSync, openSync, readlinkSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { type Answer, integer, parseRow } from './row.ts'
import { isChange, type Question, type Sources, STEPS } from './statements.ts'

/** Arguments of a question and of the changes it may ask for. Integers are BigInt: the driver binds a number as a floating point one. */
export type Arguments = Readonly<Record<string, string | bigint | null>>

/**
 * One open file. Everything here is synchronous and never waits for another process: it throws an error that is busy instead.
 */
export class Connection {
  readonly #database: DatabaseSync
  readonly #path: string
  readonly #knows: number
  readonly #file: string | undefined
  readonly #statements: {
    readonly questions: Readonly<Record<Question, StatementSync>>
    readonly changes: Readonly<Record<keyof Sources['changes'], StatementSync>>
    readonly ensure: StatementSync
    readonly forget: StatementSync
  }

  constructor(path: string, synchronous: 'full' | 'normal', sources: Sources) {
    this.#path = path
    this.#knows = sources.migrations.length
    createFile(path)
    this.#database = new DatabaseSync(path, { timeout: 0 })
    try {
      this.#database.exec(`pragma synchronous = ${synchronous}`)
      this.#migrate(sources.migrations)
      const question = (source: string) => this.#prepare(`${sources.record}\n${source}`)
      const { questions, changes } = sources
      this.#statements = {
        questions: {
          read: question(questions.read),
          claim: question(questions.claim),
          publish: question(questions.publish),
          settle: question(questions.settle),
          invalidate: question(questions.invalidate),
        },
        changes: {
          grant: this.#prepare(changes.grant),
          accept: this.#prepare(changes.accept),
          release: this.#prepare(changes.release),
          fail: this.#prepare(changes.fail),
          reject: this.#prepare(changes.reject),
        },
        ensure: this.#prepare(sources.ensure),
        forget: this.#prepare(sources.forget),
      }
      this.#file = identityOf(path)
    } catch (error) {
      this.#database.close()
      throw error
    }
  }

  /** Whether the path still leads to the file that was opened: somebody may have removed it, or put another in its place. */
  get isCurrent(): boolean {
    return identityOf(this.#path) === this.#file
  }

  /** What the record says to this question. Never waits for a writer. */
  ask(question: Question, key: string, args: Arguments, now = microseconds()): Answer {
    const row = this.#statements.questions[question].get({ ...args, key, now })
    if (row === undefined) throw this.#withoutVersion()
    this.#refuseBelow(integer(row.lowest))
    return parseRow(key, row)
  }

  /** Asks, makes the change that the answer calls for, and asks again: one transaction at one moment, which begins once it may write. */
  carryOut(question: Question, key: string, args: Arguments): Answer {
    return this.#transaction(() => {
      const now = microseconds()
      const { changes, ensure, forget } = this.#statements
      const { kind } = this.ask(question, key, args, now)
      if (isChange(kind)) {
        ensure.run({ key })
        for (const change of STEPS[kind]) changes[change].run({ ...args, key, now })
        forget.run({ now })
      }
      return this.ask(question, key, args, now)
    })
  }

  close(): void {
    this.#database.close()
  }

  #prepare(source: string): StatementSync {
    const statement = this.#database.prepare(source)
    statement.setReadBigInts(true)
    // One set of arguments serves a question and its changes.
    statement.setAllowUnknownNamedParameters(true)
    return statement
  }

  #transaction<T>(step: () => T): T {
    this.#database.exec('begin immediate')
    try {
      const result = step()
      this.#database.exec('commit')
      return result
    } catch (error) {
      // SQLite has rolled back by itself after some errors, such as a full disk.
      if (this.#database.isTransaction) this.#database.exec('rollback')
      throw error
    }
  }

  /** Brings an empty or older file up to date, once, however many processes open it at the same time. */
  #migrate(migrations: readonly string[]): void {
    const version = this.#version()
    const mode = this.#database.prepare('pragma journal_mode = wal').get()?.journal_mode
    if (mode !== 'wal') {
      throw new Error(
        `the file system has no memory shared between processes, which a write-ahead log needs: use a local disk: ${this.#path}`,
      )
    }
    if (version >= migrations.length) return
    this.#transaction(() => {
      for (const migration of migrations.slice(this.#version())) this.#database.exec(migration)
    })
  }

  /** Version of the schema in the file; 0 for an empty one. */
  #version(): number {
    // One statement, one moment: between two, another process may have made the tables.
    const tables = this.#database
      .prepare("select count(*) as count, count(*) filter (where name = 'tokenwell') as own from sqlite_schema")
      .get()
    if (integer(tables?.count) === 0) return 0
    if (integer(tables?.own) === 0) throw new Error(`the database holds something else: give the store a file of its own: ${this.#path}`)
    const row = this.#database.prepare('select version, lowest from tokenwell').get()
    if (row === undefined) throw this.#withoutVersion()
    this.#refuseBelow(integer(row.lowest))
    return integer(row.version)
  }

  #withoutVersion(): Error {
    return new Error(`the table tokenwell is empty: the file is damaged: ${this.#path}`)
  }

  #refuseBelow(lowest: number): void {
    if (lowest <= this.#knows) return
    throw new Error(
      `the record or its file needs version ${lowest} of the schema, and this version of @tokenwell/store-sqlite knows ${this.#knows}: ` +
        `update it on this node, or give the store another file: ${this.#path}`,
    )
  }
}

/**
 * Makes an empty file that only its owner may read, where there is none; the log beside it gets the same mode from SQLite. A file that is
 * there is not opened here: closing it again would take away the locks that this process holds on it.
 */
function createFile(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600))
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error
    if (error.code === 'ENOENT') throw error
    // A link that leads to no file yet is one for `open`; SQLite would follow it, and let others read what it makes there.
    if (error.code === 'EEXIST' && isLink(path) && identityOf(path) === undefined) createFile(resolve(dirname(path), readlinkSync(path)))
    // What else is wrong, SQLite says: it may be there, or must be made otherwise.
  }
}

function isLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true
}

function identityOf(path: string): string | undefined {
  const stats = statSync(path, { bigint: true, throwIfNoEntry: false })
  return stats && `${stats.dev} ${stats.ino}`
}

/**
 * The clock of the machine, which all processes share: the wall clock, because a process's own monotonic one says nothing to another.
 * Read after the lock is held, or time spent waiting for it would be missing.
 */
function microseconds(): bigint {
  return BigInt(Date.now()) * 1000n
}
