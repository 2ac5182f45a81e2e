import { randomUUID } from 'node:crypto'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as passed } from 'node:timers/promises'
import { sqliteStore, storeWith } from '../../src/sqlite-store.ts'
import { sources } from '../../src/statements.ts'
import { claim, patient, publication } from './operations.ts'

/**
 * A node of a fleet, as a process of its own: `node node.ts <task> <arguments as JSON>`. Says `ready` once it has loaded, does its task when it
 * is told `go`, and says what came of it.
 */
interface Arguments {
  readonly path: string
  readonly synchronous?: 'full' | 'normal'
  readonly files?: number
  readonly keys?: number
  readonly grants?: number
  readonly forMs?: number
  readonly name?: string
  readonly migrations?: readonly string[]
  readonly user?: number
}

/** How far apart the moments are at which processes do something together. */
const MOMENT_MS = 50

const tasks: Readonly<Record<string, (given: Arguments) => Promise<unknown>>> = {
  /** Claims every key once per contender, in this process and the others. Result: which kinds came how often, and what was granted. */
  async contend({ path, keys = 1, grants: contenders = 1 }) {
    const store = sqliteStore({ path })
    const kinds: string[] = []
    const granted: string[] = []
    for (let key = 0; key < keys; key++) {
      const attempts = Array.from({ length: contenders }, () => randomUUID())
      const claims = await Promise.all(
        attempts.map((attempt) => store.claim(`key ${key}`, attempt, { ...claim, leaseMs: 600_000 }, patient)),
      )
      for (const { kind } of claims) {
        kinds.push(kind)
        if (kind === 'granted') granted.push(`key ${key}`)
      }
    }
    await store.close()
    return { claims: kinds.length, others: kinds.filter((kind) => kind !== 'granted' && kind !== 'held'), granted }
  },

  /** Takes leases of 1 ms on one key until it has enough. Result: their fences, in the order of the grants. */
  async grants({ path, grants = 1 }) {
    const store = sqliteStore({ path, synchronous: 'normal' })
    const fences: number[] = []
    while (fences.length < grants) {
      const answer = await store.claim('key', randomUUID(), { ...claim, leaseMs: 1 }, patient)
      if (answer.kind === 'granted') fences.push(answer.fence)
      else await passed(1)
    }
    await store.close()
    return fences
  },

  /** Publishes for ever, on a key of its own and on one of all, and says each version once it was acknowledged. */
  async publish({ path, name = '' }) {
    const store = sqliteStore({ path })
    for (;;) {
      for (const key of [name, 'shared']) {
        const attempt = randomUUID()
        const claimed = await store.claim(key, attempt, { ...claim, leaseMs: 1 }, patient)
        const fence = claimed.kind === 'granted' ? claimed.fence : Date.now() * 1000
        const { kind } = await store.publish(key, attempt, fence, { ...publication, renewInMs: 0 }, patient)
        if (kind === 'accepted') process.stdout.write(`${JSON.stringify([key, fence])}\n`)
      }
    }
  },

  /** Claims, publishes and reads on a few keys for a while. Result: how long the event loop was held up, milliseconds, and what was done. */
  async busy({ path, synchronous = 'full', forMs = 1000, keys = 8 }) {
    const store = sqliteStore({ path, synchronous })
    const delay = monitorEventLoopDelay({ resolution: 1 })
    const waits: number[] = []
    await store.read(['key'], patient)
    delay.enable()
    const end = Date.now() + forMs
    let written = 0
    for (let round = 0; Date.now() < end; round++) {
      const key = `key ${round % keys}`
      const begun = performance.now()
      const attempt = randomUUID()
      const answer = await store.claim(key, attempt, claim, patient)
      if (answer.kind === 'granted') {
        await store.publish(key, attempt, answer.fence, { ...publication, value: 't'.repeat(200), renewInMs: 20 }, patient)
        written += 2
      }
      waits.push(performance.now() - begun)
      await store.read([key], patient)
      await passed(1)
    }
    delay.disable()
    await store.close()
    waits.sort((a, b) => a - b)
    const ms = (percent: number) => delay.percentile(percent) / 1e6
    return { p50: ms(50), p99: ms(99), max: delay.max / 1e6, written, rounds: waits.length, slowest: waits.at(-1) }
  },

  /** Publishes once to each file, with these migrations if there are any. Processes come to each file at the same moment. Result: each answer. */
  async open({ path, files = 1, name = '', migrations = sources.migrations }) {
    const kinds: string[] = []
    for (let file = 0; file < files; file++) {
      const store = storeWith({ ...sources, migrations }, { path: `${path}${file}` })
      await passed(MOMENT_MS - (Date.now() % MOMENT_MS))
      kinds.push((await store.publish(name, randomUUID(), Date.now() * 1000, publication, patient)).kind)
      await store.close()
    }
    return kinds
  },

  /** Tries to read, claim and publish, as another user where this one may do anything. Result: what each came to. */
  async attempt({ path, user }) {
    if (user !== undefined) process.setuid?.(user)
    const store = sqliteStore({ path })
    const said = (operation: Promise<unknown>) =>
      operation.then(
        () => 'done',
        (error: Error) => error.message,
      )
    const results = {
      read: await said(store.read(['key'], patient)),
      claim: await said(store.claim('key', 'b', { ...claim, seen: Date.now() * 1000 }, patient)),
      publish: await said(store.publish('key', 'b', Date.now() * 1000, publication, patient)),
    }
    await store.close()
    return results
  },

  /** Publishes large values until that fails. Result: the last version acknowledged, what is read then, and the error. */
  async fill({ path }) {
    const store = sqliteStore({ path })
    let version = 0
    try {
      for (let size = 1; ; size++) {
        const { snapshot } = await store.publish(
          `key ${size % 50}`,
          randomUUID(),
          size,
          { ...publication, value: 'v'.repeat(20_000) },
          patient,
        )
        version = snapshot.version
      }
    } catch (error) {
      const [snapshot] = await store.read([`key ${version % 50}`], patient)
      await store.close()
      return { version, read: snapshot?.version, error: error instanceof Error ? error.message : String(error) }
    }
  },
}

const [name = '', given = '{}'] = process.argv.slice(2)
const task = tasks[name]
if (task === undefined) throw new Error(`no task ${name}`)
process.stdout.write('"ready"\n')
process.stdin.once('data', async () => {
  const result = await task(JSON.parse(given) as Arguments)
  process.stdout.write(`${JSON.stringify({ result })}\n`)
  process.stdin.destroy()
})
