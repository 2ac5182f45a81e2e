import type { Clock, StoreChange, TokenStore } from '@tokenwell/core'
import fc from 'fast-check'

/** What a store does instead of answering an operation. `call` carries the operation out and gives the honest answer. */
export interface Trick {
  readonly name: string
  /** What it says may be taken for the truth: nothing can be told from it but that it is believed or not. */
  readonly lies: boolean
  play(call: () => Promise<unknown>, clock: Clock): unknown
}

const honest: Trick = { name: 'honest', lies: false, play: (call) => call() }

/** Something that cannot be looked at. */
function untouchable(): object {
  const refuse = () => {
    throw new RangeError('do not touch')
  }
  return new Proxy(Object.create(null), {
    get: refuse,
    has: refuse,
    ownKeys: refuse,
    getPrototypeOf: refuse,
    getOwnPropertyDescriptor: refuse,
    set: refuse,
    deleteProperty: refuse,
    defineProperty: refuse,
  })
}

function oddError(change: object): Error {
  return Object.defineProperties(
    new Error('odd'),
    Object.fromEntries(
      Object.entries(Object.getOwnPropertyDescriptors(change)).map(([key, each]) => [key, { ...each, configurable: true }]),
    ),
  )
}

const throwing = {
  get message(): string {
    throw new Error('no message')
  },
}

/** Reasons of rejections, made anew each time. */
const reasons: readonly (readonly [string, () => unknown])[] = [
  ['an Error', () => new Error('down')],
  ['nothing', () => undefined],
  ['null', () => null],
  ['text', () => 'down'],
  ['a symbol', () => Symbol('down')],
  ['a bigint', () => 7n],
  ['a function', () => () => {}],
  ['an object without a prototype', () => Object.create(null)],
  ['something untouchable', untouchable],
  ['an Error with a number for a message', () => oddError({ message: 7 })],
  ['an Error with an object for a stack', () => oddError({ stack: {} })],
  ['an Error with an object for a name', () => oddError({ name: {} })],
  ['an Error whose message throws', () => oddError(throwing)],
  ['an Error whose cause is untouchable', () => new Error('down', { cause: untouchable() })],
  [
    'an Error that is its own cause',
    () => {
      const error = new Error('down')
      error.cause = error
      return error
    },
  ],
  ['an AggregateError without a list', () => Object.assign(new AggregateError([]), { errors: 7 })],
  ['an AggregateError of odd things', () => new AggregateError([untouchable(), undefined, 'x'])],
  ['what looks like an Error', () => Object.create(Error.prototype)],
]

/** What a field may hold that it does not, and whether that could be the truth. */
const values: readonly (readonly [name: string, make: () => unknown, plausible: boolean])[] = [
  ['NaN', () => Number.NaN, false],
  ['Infinity', () => Number.POSITIVE_INFINITY, false],
  ['-Infinity', () => Number.NEGATIVE_INFINITY, false],
  ['2^53', () => 2 ** 53, true],
  ['1e300', () => 1e300, true],
  ['-1e300', () => -1e300, true],
  ['the largest number', () => Number.MAX_VALUE, true],
  ['the largest safe integer', () => Number.MAX_SAFE_INTEGER, true],
  ['-1', () => -1, true],
  ['-0', () => -0, true],
  ['0', () => 0, true],
  ['1', () => 1, true],
  ['half', () => 0.5, true],
  ['1e-300', () => 1e-300, true],
  ['an hour', () => 3_600_000, true],
  ['empty text', () => '', true],
  ['text', () => 'held', true],
  ['granted', () => 'granted', true],
  ['fresh', () => 'fresh', true],
  ['backoff', () => 'backoff', true],
  ['digits', () => '7', true],
  ['long text', () => 'x'.repeat(200_000), true],
  ['text in JSON', () => '{"access":"a","refresh":"r","outlivesMs":1}', true],
  ['null', () => null, false],
  ['nothing', () => undefined, true],
  ['a bigint', () => 7n, false],
  ['a symbol', () => Symbol('x'), false],
  ['a boxed number', () => Object(7), false],
  ['a list', () => [7], false],
  ['an object', () => ({}), true],
  ['a lease for ever', () => ({ expiresInMs: 1e300 }), true],
  ['an ended lease', () => ({ expiresInMs: -1 }), true],
  ['a backoff for ever', () => ({ retryInMs: 1e300, failure: '', failures: 1e9 }), true],
  ['an ended backoff', () => ({ retryInMs: -5, failure: '{"code":"FETCH_FAILED"}', failures: 0 }), true],
  ['a function', () => () => 7, false],
  ['a promise', () => Promise.resolve(7), false],
  ['something untouchable', untouchable, false],
  ['a number that throws', () => ({ valueOf: () => throwNow() }), false],
]

function throwNow(): never {
  throw new Error('now')
}

const paths = [
  ['key'],
  ['version'],
  ['value'],
  ['renewInMs'],
  ['expiresInMs'],
  ['rejectedUpTo'],
  ['lease'],
  ['lease', 'expiresInMs'],
  ['backoff'],
  ['backoff', 'retryInMs'],
  ['backoff', 'failure'],
  ['backoff', 'failures'],
] as const

const anywhere = fc.oneof(
  fc.constantFrom(['kind'], ['fence'], ['takeover'], ['snapshot'], ['extra'], ['then'], ['__proto__']),
  fc.constantFrom(...paths).chain((path) => fc.constantFrom([...path], ['snapshot', ...path], ['0', ...path])),
)

type How = 'set' | 'delete' | 'throw' | 'flicker'

/** The honest answer with one place of it changed. */
function changed(answer: unknown, path: readonly string[], how: How, value: unknown): unknown {
  const copy: unknown = structuredClone(answer)
  let holder = copy
  for (const step of path.slice(0, -1)) holder = typeof holder === 'object' && holder !== null ? Reflect.get(holder, step) : undefined
  if (typeof holder !== 'object' || holder === null) return copy
  const last = path.at(-1) ?? ''
  const before: unknown = Reflect.get(holder, last)
  let looks = 0
  if (how === 'delete') Reflect.deleteProperty(holder, last)
  else if (how === 'throw') Object.defineProperty(holder, last, { get: throwNow, enumerable: true, configurable: true })
  else if (how === 'flicker') {
    // Honest when it is looked at first.
    const get = () => (looks++ === 0 ? before : value)
    Object.defineProperty(holder, last, { get, enumerable: true, configurable: true })
  } else Object.defineProperty(holder, last, { value, enumerable: true, configurable: true, writable: true })
  return copy
}

const edit: fc.Arbitrary<Trick> = fc
  .tuple(anywhere, fc.constantFrom<How>('set', 'set', 'set', 'delete', 'throw', 'flicker'), fc.constantFrom(...values))
  .map(([path, how, [name, make, plausible]]) => ({
    name: `${how} ${path.join('.')} ${name}`,
    lies: how !== 'throw' && (plausible || how === 'delete' || how === 'flicker'),
    play: async (call) => changed(await call(), path, how, make()),
  }))

const answers: readonly (readonly [string, () => unknown])[] = [
  ...values.map(([name, make]) => [name, make] as const),
  ['a list of nothing', () => [undefined, null]],
  ['a list of untouchables', () => [untouchable(), untouchable()]],
  ['a list without end', () => Object.assign([], { length: 2 ** 32 - 1 })],
  [
    'an object of getters',
    () => ({
      get snapshot() {
        return throwNow()
      },
    }),
  ],
]

type Then = (yes: (value: unknown) => void, no: (reason: unknown) => void) => void

function thenable(then: Then): object {
  return Object.defineProperty({}, 'then', { value: then })
}

/** Promises that are none, and promises that do not keep the rules of promises. */
const thenables: readonly Trick[] = [
  { name: 'no promise', lies: false, play: () => 'later' },
  { name: 'nothing at all', lies: false, play: () => undefined },
  { name: 'throws', lies: false, play: throwNow },
  {
    name: 'throws something untouchable',
    lies: false,
    play: () => {
      throw untouchable()
    },
  },
  { name: 'is never done', lies: false, play: () => new Promise(() => {}) },
  {
    name: 'is done, and never says so',
    lies: false,
    play: (call) => {
      void call()
      return new Promise(() => {})
    },
  },
  { name: 'a then that throws', lies: false, play: () => thenable(throwNow) },
  { name: 'a then that is a getter that throws', lies: false, play: () => Object.defineProperty({}, 'then', { get: throwNow }) },
  {
    name: 'a then that does both',
    lies: false,
    play: () =>
      thenable((yes, no) => {
        no(new Error('no'))
        yes(undefined)
        no(untouchable())
      }),
  },
  {
    name: 'a then that answers with another',
    lies: false,
    play: () => thenable((yes) => yes(thenable(throwNow))),
  },
  {
    name: 'is late',
    lies: false,
    play: (call, clock) =>
      new Promise((resolve) => {
        clock.schedule(() => void call().then(resolve, () => {}), 1_500)
      }),
  },
  {
    name: 'is answered late',
    lies: false,
    play: async (call, clock) => {
      const answer = await call()
      await new Promise<void>((resolve) => clock.schedule(resolve, 1_500))
      return answer
    },
  },
]

export const trick: fc.Arbitrary<Trick> = fc.oneof(
  { weight: 6, arbitrary: fc.constant(honest) },
  { weight: 8, arbitrary: edit },
  { weight: 2, arbitrary: fc.constantFrom(...thenables) },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom(...reasons)
      .map(([name, make]): Trick => ({ name: `rejects with ${name}`, lies: false, play: async () => Promise.reject(make()) })),
  },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom(...answers)
      .map(([name, make]): Trick => ({ name: `answers ${name}`, lies: false, play: async () => make() })),
  },
)

/** Hints that say nothing, or too much. */
const hints: readonly (() => unknown)[] = [
  ...values.map(([, make]) => make),
  () => ({ kind: 'gap' }),
  () => ({ kind: 'changed' }),
  ...values.map(([, make]) => () => ({ kind: 'changed', key: 'tokenwell/one', version: make() })),
  ...values.map(([, make]) => () => ({ kind: 'changed', key: make(), version: 1 })),
]
export const hint: fc.Arbitrary<() => unknown> = fc.constantFrom(...hints)

/** More operations than this in one second are a loop without a pause. */
const MOST_CALLS = 300

/** A store that plays a trick on each operation, one after the other and round again, while it is told to. */
export class HostileStore {
  playing = true
  loops = false
  #calls = 0
  #second = 0
  #callsInSecond = 0
  readonly played: string[] = []
  readonly store: TokenStore
  readonly #listeners = new Set<(change: StoreChange) => void>()
  readonly #clock: Clock
  readonly #tricks: readonly Trick[]
  readonly #first: () => unknown

  /** `first`: what is told while a subscription is being made. */
  constructor(honestStore: TokenStore, tricks: readonly Trick[], clock: Clock, first: () => unknown) {
    this.#clock = clock
    this.#tricks = tricks
    this.#first = first
    this.store = {
      contractVersion: 1,
      capabilities: { shared: true, durable: false, push: true },
      read: (...args) => this.#play('read', () => honestStore.read(...args)),
      claim: (...args) => this.#play('claim', () => honestStore.claim(...args)),
      publish: (...args) => this.#play('publish', () => honestStore.publish(...args)),
      settle: (...args) => this.#play('settle', () => honestStore.settle(...args)),
      invalidate: (...args) => this.#play('invalidate', () => honestStore.invalidate(...args)),
      subscribe: (listener) => {
        this.#listeners.add(listener)
        this.tell(this.#first())
        return this.#play('subscribe', async () => {
          const unsubscribe = await honestStore.subscribe?.(listener)
          // The listener is kept: it is told more, after all is over.
          return () => this.#play('unsubscribe', async () => unsubscribe?.())
        })
      },
      close: () => this.#play('close', () => honestStore.close()),
    }
  }

  /** Whether the tricks so far might have been believed. */
  get lied(): boolean {
    return this.#tricks.some(({ lies }) => lies)
  }

  tell(change: unknown): void {
    for (const listener of this.#listeners) listener(change as StoreChange)
  }

  #play<T>(operation: string, call: () => Promise<T>): Promise<T> {
    const second = Math.floor(this.#clock.monotonic() / 1_000)
    if (second !== this.#second) this.#callsInSecond = 0
    this.#second = second
    this.#calls += 1
    this.#callsInSecond += 1
    if (this.loops || this.#callsInSecond > MOST_CALLS) {
      this.loops = true
      // Such a loop would never come back to the test.
      return new Promise(() => {})
    }
    const played = this.playing ? this.#tricks[this.#calls % this.#tricks.length] : undefined
    if (this.played.length < 40) this.played.push(`${operation}: ${played?.name ?? 'honest'}`)
    return (played ?? honest).play(call, this.#clock) as Promise<T>
  }
}
