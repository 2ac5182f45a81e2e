import { createTokenManager, isTokenError, type Token, type TokenHandle, type TokenManager, type TokenStore } from '@tokenwell/core'
import { memoryStore } from '@tokenwell/store-memory'
import { type VirtualClock, virtualClock } from '@tokenwell/testkit'
import fc, { type Scheduler } from 'fast-check'
import { expect, test } from 'vitest'

const NIGHTLY = process.env.TOKENWELL_NIGHTLY === undefined ? 1 : 20

/** The store behind a network whose messages arrive in any order: each request and each reply waits for the scheduler. */
function scheduled(store: TokenStore, scheduler: Scheduler): TokenStore {
  const through = async <T>(name: string, call: () => Promise<T>): Promise<T> => {
    await scheduler.schedule(Promise.resolve(), `${name} sent`)
    const answer = await call()
    await scheduler.schedule(Promise.resolve(), `${name} answered`)
    return answer
  }
  return {
    ...store,
    read: (...args) => through('read', () => store.read(...args)),
    claim: (...args) => through('claim', () => store.claim(...args)),
    publish: (...args) => through('publish', () => store.publish(...args)),
    settle: (...args) => through('settle', () => store.settle(...args)),
    invalidate: (...args) => through('invalidate', () => store.invalidate(...args)),
    subscribe: (listener) => through('subscribe', () => (store.subscribe as NonNullable<TokenStore['subscribe']>)(listener)),
  }
}

/** Several nodes on one store, one upstream, and every message in the scheduler's hands. */
class Fleet {
  readonly clock: VirtualClock = virtualClock()
  readonly scheduler: Scheduler
  readonly managers: TokenManager[] = []
  readonly handles: TokenHandle[] = []
  readonly problems: string[] = []
  readonly #newest = new Map<TokenHandle, number>()
  readonly #ends = new Map<string, number>()
  fetches = 0
  inFlight = 0
  mostInFlight = 0
  failing = 0
  asked = 0
  settled = 0

  constructor(scheduler: Scheduler, nodes: number) {
    this.scheduler = scheduler
    const store = memoryStore({ clock: this.clock })
    for (let node = 0; node < nodes; node += 1) {
      const manager = createTokenManager({ store: scheduled(store, scheduler), clock: this.clock })
      this.managers.push(manager)
      this.handles.push(manager.token({ key: 'k', fetch: () => this.#fetch() }))
    }
  }

  async #fetch() {
    this.fetches += 1
    this.inFlight += 1
    this.mostInFlight = Math.max(this.mostInFlight, this.inFlight)
    const number = this.fetches
    await this.scheduler.schedule(Promise.resolve(), `fetch ${number}`)
    this.inFlight -= 1
    if (this.failing > 0) {
      this.failing -= 1
      throw new Error('upstream')
    }
    const value = `token-${number}`
    const lifeMs = 60 * 60_000
    this.#ends.set(value, this.clock.monotonic() + lifeMs)
    return { value, expiresInMs: lifeMs }
  }

  /** One caller, whose answer is checked when it comes. */
  ask(node: number, signal?: AbortSignal): void {
    const handle = this.handles[node % this.handles.length]
    if (handle === undefined) return
    this.asked += 1
    handle.get(signal === undefined ? undefined : { signal }).then(
      (token) => {
        this.settled += 1
        this.#check(handle, token)
      },
      (error: unknown) => {
        this.settled += 1
        if (!isTokenError(error)) this.problems.push(`not a TokenError: ${String(error)}`)
      },
    )
  }

  #check(handle: TokenHandle, token: Token): void {
    const newest = this.#newest.get(handle) ?? 0
    if (token.version < newest) this.problems.push(`version ${token.version} after ${newest}`)
    if (this.clock.monotonic() > (this.#ends.get(token.value) ?? 0)) this.problems.push(`${token.value} has ended`)
    this.#newest.set(handle, Math.max(newest, token.version))
  }

  async drain(): Promise<void> {
    for (;;) {
      await new Promise<void>((resolve) => setImmediate(resolve))
      if (this.scheduler.count() === 0) return
      await this.scheduler.waitOne()
    }
  }

  async end(): Promise<void> {
    const closed = Promise.all(this.managers.map((manager) => manager.close()))
    let done = false
    closed.then(
      () => {
        done = true
      },
      () => {},
    )
    for (let turn = 0; !done && turn < 50; turn += 1) {
      await this.drain()
      await this.clock.advance(500)
    }
    expect(done).toBe(true)
    await closed
  }
}

test('however the messages of two nodes interleave, cold callers share one fetch and one token', async () => {
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), fc.array(fc.nat(1), { minLength: 1, maxLength: 12 }), async (scheduler, callers) => {
      const fleet = new Fleet(scheduler, 2)
      for (const node of callers) {
        fleet.ask(node)
        if (scheduler.count() > 0) await scheduler.waitOne()
      }
      await fleet.drain()
      await fleet.end()
      expect(fleet.problems).toEqual([])
      expect(fleet.settled).toBe(fleet.asked)
      expect(fleet.fetches).toBe(1)
    }),
    { numRuns: 300 * NIGHTLY },
  )
})

type Move = (fleet: Fleet) => Promise<void> | void

const moves: fc.Arbitrary<Move> = fc.oneof(
  { arbitrary: fc.nat(2).map<Move>((node) => (fleet) => fleet.ask(node)), weight: 5 },
  fc.nat(2).map<Move>((node) => (fleet) => {
    const controller = new AbortController()
    fleet.ask(node, controller.signal)
    fleet.scheduler.schedule(Promise.resolve(), 'abort').then(
      () => controller.abort(),
      () => {},
    )
  }),
  {
    arbitrary: fc.constant<Move>(async (fleet) => {
      if (fleet.scheduler.count() > 0) await fleet.scheduler.waitOne()
    }),
    weight: 8,
  },
  fc.nat(2).map<Move>((node) => (fleet) => {
    const token = fleet.handles[node]?.peek()
    if (token !== undefined) void fleet.handles[node]?.reject(token)
  }),
  fc.constant<Move>((fleet) => {
    fleet.failing += 1
  }),
  fc.constantFrom(100, 600, 2_000, 9_000, 20 * 60_000, 70 * 60_000).map<Move>((ms) => (fleet) => fleet.clock.advance(ms)),
  fc.constantFrom(-86_400_000, -3_000, 3_000, 86_400_000).map<Move>((ms) => (fleet) => fleet.clock.stepWall(ms)),
)

test('with failures, rejections, aborts, late messages and steps of the clock, every caller is settled, and never with something older or ended', async () => {
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), fc.array(moves, { maxLength: 40, size: 'max' }), async (scheduler, script) => {
      const fleet = new Fleet(scheduler, 3)
      for (const move of script) await move(fleet)
      for (let second = 0; second < 40 && fleet.settled < fleet.asked; second += 1) {
        await fleet.drain()
        await fleet.clock.advance(500)
      }
      expect(fleet.settled).toBe(fleet.asked)
      await fleet.end()
      expect(fleet.problems).toEqual([])
      expect(fleet.clock.pending).toBe(0)
    }),
    { numRuns: 300 * NIGHTLY },
  )
}, 120_000)
