import { type GetOptions, type Token, TokenError, type TokenHandle, type UseOptions } from '@tokenwell/core'
import { memoryStore } from '@tokenwell/store-memory'
import { mintedToken, type Scenario, type SimulationReport, simulate } from '@tokenwell/testkit'
import { expect, test } from 'vitest'

const MINUTE = 60_000

/** Callers see each handle through this. */
type Disguise = (handle: TokenHandle) => Partial<TokenHandle>

function play(disguise: Disguise, options: { troubles: number; seed?: number }): Promise<SimulationReport> {
  const honest = mintedToken({
    lifeMs: 6 * MINUTE,
    sameAboveMs: 2 * MINUTE,
    policy: { renewWindowMs: 2 * MINUTE, renewJitterMs: MINUTE / 2, floorMs: MINUTE / 2 },
  })
  const scenario: Scenario = {
    faults: honest.faults,
    begin(surroundings) {
      const begun = honest.begin(surroundings)
      return {
        trouble: (fault) => begun.trouble(fault),
        start: (process) =>
          begun.start(process).map((credential) => {
            const { handle } = credential
            const plain: TokenHandle = {
              key: handle.key,
              get: (given) => handle.get(given),
              peek: () => handle.peek(),
              use: (call, given) => handle.use(call, given),
              reject: (token) => handle.reject(token),
            }
            return { ...credential, handle: { ...plain, ...disguise(handle) } }
          }),
      }
    },
  }
  return simulate({ seed: 1, scenario, store: (clock) => memoryStore({ clock }), hours: 3, ...options })
}

const told = ({ violations }: SimulationReport) => violations.map((violation) => violation.replace(/^[^:]*: /, ''))

test('callers ask with and without options, leave, and have core report what is refused and try once more', async () => {
  const asked: (GetOptions | undefined)[] = []
  let used = 0
  let tried = 0
  const disguise: Disguise = (handle) => ({
    get(options) {
      asked.push(options)
      return handle.get(options)
    },
    use<T>(call: (token: Token) => Promise<T>, options?: UseOptions) {
      used += 1
      let calls = 0
      const counted = (token: Token) => {
        calls += 1
        if (calls === 2) tried += 1
        return call(token)
      }
      return handle.use(counted, options)
    },
  })
  for (let seed = 1; seed <= 3; seed += 1) expect((await play(disguise, { troubles: 40, seed })).violations).toEqual([])
  const alone = asked.filter((options) => options === undefined)
  expect(alone.length).toBeGreaterThan(asked.length / 4)
  expect(asked.some((options) => options !== undefined && Object.keys(options).join() === 'timeoutMs')).toBe(true)
  expect(asked.some((options) => options?.signal?.aborted === true)).toBe(true)
  expect(used).toBeGreaterThan(20)
  expect(tried).toBeGreaterThan(0)
}, 60_000)

test('half of those who come together wait as one', async () => {
  let pending: { readonly promise: Promise<Token>; readonly options: GetOptions | undefined }[] = []
  let together = 0
  await play(
    (handle) => ({
      get(options) {
        const promise = handle.get(options)
        if (pending.some((other) => other.promise === promise && options !== undefined)) together += 1
        pending = [...pending.slice(-8), { promise, options }]
        return promise
      },
    }),
    { troubles: 40 },
  )
  expect(together).toBeGreaterThan(0)
}, 60_000)

test('whoever is told to have left and has not is a violation', async () => {
  const left = new TokenError('ABORTED', 'the signal was aborted', { retryable: false })
  const report = await play(() => ({ get: () => Promise.reject(left) }), { troubles: 0 })
  expect(told(report)).toContain('n0: a caller of token who stayed was told that it had left')
  const honest = await play(() => ({}), { troubles: 0 })
  expect(honest.violations).toEqual([])
})

test('a use() that fails although its call has not is a violation', async () => {
  const report = await play(
    (handle) => ({
      async use<T>(call: (token: Token) => Promise<T>, options?: UseOptions): Promise<T> {
        await handle.use(call, options)
        throw new Error('what is this')
      },
    }),
    { troubles: 0 },
  )
  expect(told(report).join()).toContain('use() of token failed although its call did not: Error: what is this')
})

test('a use() that leaves out the report of what was refused is a violation', async () => {
  const wrong: string[] = []
  for (let seed = 1; seed <= 20 && wrong.length === 0; seed += 1) {
    const report = await play(
      (handle) => ({
        // The one that is refused comes back without a word to anybody.
        async use<T>(call: (token: Token) => Promise<T>, options?: UseOptions): Promise<T> {
          const first = await handle.get()
          const outcome = await call(first)
          return options?.isRejected?.(outcome) === true ? call(await handle.get()) : outcome
        },
      }),
      { troubles: 40, seed },
    )
    wrong.push(...told(report))
  }
  expect(wrong.join()).toMatch(/although its value was reported/)
}, 120_000)
