import { randomUUID } from 'node:crypto'
import { createTokenManager, type TokenEvent, type TokenManager } from '@tokenwell/core'
import { memoryStore } from '@tokenwell/store-memory'
import { type VirtualClock, virtualClock } from '@tokenwell/testkit'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { HostileStore, hint, trick } from './support/hostile-store.ts'
import { expectHarmless, PATIENCE_MS, runs, watchRejections } from './support/runs.ts'

const HOUR = 3_600_000
/** A caller waits 15 s at most. */
const BOUND_MS = 16_000

let unhandled = (): unknown[] => []
beforeAll(() => {
  unhandled = watchRejections()
})
afterAll(() => expect(unhandled()).toEqual([]))

/** A store with tricks, a process that uses it, and another one to which it is honest. */
class Scene {
  readonly clock: VirtualClock = virtualClock()
  readonly hostile: HostileStore
  readonly problems: string[] = []
  readonly victim: TokenManager
  readonly #honestStore = memoryStore({ clock: this.clock })
  readonly #given = new Set<string>()
  readonly #open = new Set<string>()
  #asked = 0

  constructor(tricks: ConstructorParameters<typeof HostileStore>[1], first: () => unknown) {
    this.hostile = new HostileStore(this.#honestStore, tricks, this.clock, first)
    this.victim = createTokenManager({ store: this.hostile.store, clock: this.clock, onEvent: (event) => this.#hear(event) })
  }

  /** Every failure that is told is one of ours. */
  #hear(event: TokenEvent): void {
    if ('failure' in event) this.#judge('an event', event.failure)
  }

  #judge(where: string, error: unknown): void {
    try {
      expectHarmless(error, [...this.#given])
    } catch (problem) {
      this.problems.push(`${where}: ${String(problem)}: ${String(problem instanceof Error ? problem.cause : '')}`)
    }
  }

  handle(manager: TokenManager, key: string) {
    return manager.token({
      key,
      fetch: async () => {
        const value = `${key}-${randomUUID()}`
        this.#given.add(value)
        return { value, expiresInMs: 2 * HOUR }
      },
    })
  }

  /** Watches one call: it is to settle, with what `check` finds good or with a harmless error. */
  watch<T>(what: string, work: Promise<T>, check: (result: T) => void = () => {}): Promise<void> {
    this.#asked += 1
    const name = `${what} ${this.#asked}`
    this.#open.add(name)
    return work.then(
      (result) => {
        this.#open.delete(name)
        check(result)
      },
      (error: unknown) => {
        this.#open.delete(name)
        this.#judge(name, error)
      },
    )
  }

  get(manager: TokenManager, key: string, timeoutMs: number): Promise<void> {
    return this.watch(`get ${key}`, this.handle(manager, key).get({ timeoutMs }), ({ value }) => {
      if (this.hostile.lied) return
      if (!this.#given.has(value) || !value.startsWith(key)) this.problems.push(`${key} was served something else`)
    })
  }

  async settled(): Promise<void> {
    for (let half = 0; half < 2 * (BOUND_MS / 1_000) && this.#open.size > 0; half += 1) await this.clock.advance(500)
    for (const name of this.#open) this.problems.push(`${name} did not settle`)
    this.#open.clear()
  }

  /** Closes everything, hints and tricks going on, and checks what can only be checked then. */
  async end(): Promise<void> {
    void this.watch('close', this.victim.close())
    await this.settled()
    this.hostile.tell({ kind: 'changed', key: 'tokenwell/one', version: 1 })
    await this.clock.advance(60_000)
    if (this.hostile.loops) this.problems.push('the store is asked without a pause')
    const after = createTokenManager({ store: this.#honestStore, clock: this.clock })
    let served = false
    after
      .token({ key: 'three', fetch: async () => ({ value: 'v', expiresInMs: HOUR }) })
      .get()
      .then(
        () => {
          served = true
        },
        () => {},
      )
    await this.clock.advance(1_000)
    if (!served) this.problems.push('the store itself is broken')
    await after.close()
    if (this.problems.length > 0) throw new Error([...new Set(this.problems), ...this.hostile.played].join('\n'))
  }
}

type Move = (scene: Scene) => Promise<void> | void
const key = fc.constantFrom('one', 'two')
const move: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.tuple(key, fc.constantFrom(50, 3_000, 15_000)).map<Move>(
      ([name, ms]) =>
        (scene) =>
          void scene.get(scene.victim, name, ms),
    ),
  },
  key.map<Move>((name) => (scene) => {
    const handle = scene.handle(scene.victim, name)
    const token = handle.peek()
    if (token !== undefined) void scene.watch('reject', handle.reject(token))
  }),
  hint.map<Move>((make) => (scene) => {
    try {
      scene.hostile.tell(make())
    } catch (error) {
      scene.problems.push(`a hint was thrown back at the store: ${String(error)}`)
    }
  }),
  fc.constantFrom(0, 20, 600, 2_000, 9_000, HOUR, 2 * HOUR).map<Move>((ms) => (scene) => scene.clock.advance(ms)),
)

describe('a store that answers anything', () => {
  test(
    'gets no more out of a process than a TokenError in time, and no caller a token that is none',
    async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(trick, { minLength: 1, maxLength: 6 }),
          hint,
          fc.array(move, { minLength: 1, maxLength: 14 }),
          async (tricks, first, moves) => {
            const scene = new Scene(tricks, first)
            for (const each of moves) await each(scene)
            await scene.settled()
            if (!scene.hostile.lied) {
              // All that it said was nonsense: once it talks sense again, so does this process.
              scene.hostile.playing = false
              await scene.clock.advance(60_000)
              let served = false
              void scene
                .handle(scene.victim, 'one')
                .get()
                .then(
                  () => {
                    served = true
                  },
                  () => {},
                )
              await scene.clock.advance(BOUND_MS)
              if (!served) scene.problems.push('no token although the store is well again')
            }
            await scene.end()
          },
        ),
        runs(300),
      )
    },
    PATIENCE_MS,
  )
})
