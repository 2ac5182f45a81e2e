import { createHash } from 'node:crypto'
import type { TokenHandle } from '@tokenwell/core'
import { memoryStore } from '@tokenwell/store-memory'
import {
  mintedToken,
  type PlayableStore,
  type Scenario,
  type SimulationOptions,
  type SimulationReport,
  simulate,
  together,
} from '@tokenwell/testkit'
import { describe, expect, test } from 'vitest'
import { brief } from '../../../tools/simulate/worlds.ts'
import { storeWith } from '../../store-memory/src/memory-store.ts'
import * as rules from '../../store-memory/src/record.ts'
import { careless } from './support/careless.ts'

const MINUTE = 60_000

const store = (clock: { wall(): number }): PlayableStore => memoryStore({ clock })

function play(given: Partial<SimulationOptions> = {}): Promise<SimulationReport> {
  return simulate({ seed: 1, store, scenario: brief(), hours: 2, ...given })
}

const digest = ({ history }: SimulationReport) => createHash('sha256').update(history.join('\n')).digest('hex')

test('one seed is one history, byte for byte', async () => {
  const [one, again, other] = [await play({ seed: 7 }), await play({ seed: 7 }), await play({ seed: 8 })]
  expect(one.history.length).toBeGreaterThan(100)
  expect(digest(again)).toBe(digest(one))
  expect(digest(other)).not.toBe(digest(one))
})

test('a plan is replayed as it was drawn, and a part of it alone', async () => {
  const drawn = await play({ seed: 7 })
  const { plan } = drawn
  expect(plan).toHaveLength(20)
  expect(digest(await play({ seed: 7, plan }))).toBe(digest(drawn))
  const half = await play({ seed: 7, plan: plan.slice(10) })
  expect(half.plan).toHaveLength(10)
  expect(half.violations).toEqual([])
})

test('what is thrown into a world is a violation of its seed, and ends it', async () => {
  const thrown = {
    ...brief(),
    begin: (...parts: Parameters<Scenario['begin']>) => {
      const [surroundings] = parts
      surroundings.at(5 * MINUTE, () => {
        throw new RangeError('out of range')
      })
      return brief().begin(...parts)
    },
  }
  const { violations, history } = await play({ seed: 7, scenario: thrown })
  expect(violations).toEqual(['300.000 s: thrown, and caught by nobody: RangeError: out of range'])
  expect(history.at(-1)).toBe('300000.000 VIOLATION thrown, and caught by nobody: RangeError: out of range')
})

test('with nothing wrong every life is asked for once, and nobody fails', async () => {
  const { counts, violations } = await play({ troubles: 0, scenario: together(mintedToken(), brief()), hours: 12 })
  expect(violations).toEqual([])
  expect(counts.get('gets failed')).toBeUndefined()
  // Twelve hours of two-hour tokens renewed in their last ten minutes, and of six-minute tokens renewed in their last two.
  expect(counts.get('requests')).toBeGreaterThanOrEqual(6 + 120)
  expect(counts.get('requests')).toBeLessThanOrEqual(8 + 185)
})

test('whatever goes wrong, nothing is that must not be', async () => {
  const wrong: string[] = []
  const counts = new Map<string, number>()
  for (let seed = 1; seed <= 60; seed += 1) {
    const report = await play({ seed, troubles: 30, scenario: together(mintedToken(), brief()) })
    for (const violation of report.violations) wrong.push(`seed ${seed}: ${violation}`)
    for (const [what, count] of report.counts) counts.set(what, (counts.get(what) ?? 0) + count)
  }
  expect(wrong).toEqual([])
  for (const kind of ['stall', 'down', 'clock-forward', 'clock-back', 'rollback', 'row-lost', 'emptied', 'replaced']) {
    expect(counts.get(`fault store ${kind}`), kind).toBeGreaterThan(8)
  }
  for (const kind of ['crash', 'restart', 'freeze', 'sleep', 'wall-step', 'misled']) {
    expect(counts.get(`fault process ${kind}`), kind).toBeGreaterThan(8)
  }
  for (const kind of ['crash', 'restart', 'freeze', 'sleep', 'overrun']) expect(counts.get(`fault holder ${kind}`), kind).toBeGreaterThan(8)
  for (const kind of ['lost-request', 'lost-reply', 'duplicate', 'late', 'slow', 'refused', 'lost-hint']) {
    expect(counts.get(`fault wire store ${kind}`), kind).toBeGreaterThan(15)
  }
  for (const kind of mintedToken().faults) expect(counts.get(`fault upstream ${kind}`), kind).toBeGreaterThan(8)
}, 300_000)

test('a process that goes its own way is found out in the end, as is what the store does not have', async () => {
  // Whoever claims as one of the processes is given a record that nobody else sees.
  const split = (clock: { wall(): number }): PlayableStore => {
    const [own, { subscribe: _, ...others }] = [store(clock), store(clock)]
    const of = (attempt: string) => (attempt.startsWith('n4.') ? own : others)
    return {
      ...others,
      claim: (key, attempt, request, operation) => of(attempt).claim(key, attempt, request, operation),
      publish: (key, attempt, fence, request, operation) => of(attempt).publish(key, attempt, fence, request, operation),
      settle: (key, attempt, fence, request, operation) => of(attempt).settle(key, attempt, fence, request, operation),
    }
  }
  const { violations } = await play({ store: split, scenario: mintedToken({ sameAboveMs: Number.POSITIVE_INFINITY }), troubles: 0 })
  const atTheEnd = violations.map((violation) => violation.replace(/^[^:]*: |\d{9,}/g, ''))
  expect(atTheEnd).toContain('2 tokens are served of token long after everything was right again')
}, 60_000)

describe('at the end', () => {
  const everNew = () => mintedToken({ sameAboveMs: Number.POSITIVE_INFINITY })

  test('each process that goes its own way is found out', async () => {
    const ofEach = (clock: { wall(): number }): PlayableStore => {
      const stores = Array.from({ length: 5 }, () => store(clock))
      const [{ subscribe: _, ...shared }] = stores as [PlayableStore]
      const of = (attempt: string) => stores[Number(attempt[1])] as PlayableStore
      return {
        ...shared,
        claim: (key, attempt, request, operation) => of(attempt).claim(key, attempt, request, operation),
        publish: (key, attempt, fence, request, operation) => of(attempt).publish(key, attempt, fence, request, operation),
        settle: (key, attempt, fence, request, operation) => of(attempt).settle(key, attempt, fence, request, operation),
      }
    }
    const { violations } = await play({ store: ofEach, scenario: everNew(), troubles: 0 })
    expect(violations.join()).toContain('5 tokens are served of token when nothing is wrong any more')
  })

  test('whoever has not heard yet of what was replaced twice in that moment may go on with what it has', async () => {
    const endsAt = 120 * MINUTE
    const replaced: string[] = []
    const replacing: Scenario = {
      ...everNew(),
      begin(surroundings) {
        const begun = everNew().begin(surroundings)
        const replace = async ({ handle }: { readonly handle: TokenHandle }) => {
          const token = await handle.get()
          replaced.push(token.value)
          await handle.reject(token)
          await handle.get()
        }
        return {
          ...begun,
          start(process) {
            const credentials = begun.start(process)
            const at = [endsAt + 5_000, endsAt + 16_000][process.index]
            if (at !== undefined) surroundings.at(at, () => void Promise.all(credentials.map(replace)))
            if (process.index === 1) surroundings.at(endsAt + 15_500, () => void Promise.all(credentials.map(({ handle }) => handle.get())))
            return credentials
          },
        }
      },
    }
    const { violations, history } = await play({ scenario: replacing, troubles: 0 })
    expect(violations).toEqual([])
    expect(new Set(replaced).size).toBe(2)
    const last = history.filter((line) => / published /.test(line)).map((line) => Number(line.split(' ')[0]))
    expect(last.filter((at) => at > endsAt && at < endsAt + 20_000)).toHaveLength(2)
  })
})

test('tokens that live for less than two of their windows are renewed at moments that are drawn, too', async () => {
  const policy = { renewWindowMs: 5 * MINUTE, renewJitterMs: MINUTE, floorMs: MINUTE / 2 }
  const short = mintedToken({ lifeMs: 6 * MINUTE, sameAboveMs: 4 * MINUTE, policy })
  expect((await play({ troubles: 0, scenario: short })).violations).toEqual([])
  // With a jitter that is next to none they are renewed with the same part of their lives to go.
  const rigid = mintedToken({ lifeMs: 6 * MINUTE, sameAboveMs: 4 * MINUTE, policy: { ...policy, renewJitterMs: 0.001 } })
  const { violations } = await play({ troubles: 0, scenario: rigid })
  expect(violations.join()).toMatch(/token is renewed 6 times with the same \d+ ms to live/)
})

test('callers of all processes report good tokens at once, and nobody fetches for each of them', async () => {
  const plan = [{ at: 20 * MINUTE, forMs: 10 * MINUTE, on: 'process', kind: 'misled', byMs: 0 }] as const
  const { violations, counts, history } = await play({ plan })
  expect(violations).toEqual([])
  expect(counts.get('fault process misled')).toBe(5)
  const vouched = history.filter((line) => / vouched /.test(line))
  expect(vouched.length).toBeGreaterThan(3)
})

test('the clock of the store is set over a lease, and another is granted it while its holder goes on', async () => {
  const plan = [{ at: 10 * MINUTE, forMs: 40 * MINUTE, on: 'holder', kind: 'overrun', byMs: 10_000, probability: 1 }] as const
  const { violations, counts, history } = await play({ plan })
  expect(violations).toEqual([])
  expect(counts.get('fault holder overrun')).toBeGreaterThan(5)
  expect(history.filter((line) => /holder overrun of n\d by 10000 ms/.test(line)).length).toBeGreaterThan(5)
})

test.each([
  ['crash', 'crashes'],
  ['restart', 'closes within'],
] as const)('whoever has just been granted a lease, or publishes, is struck by a %s, and begins again', async (kind, said) => {
  const plan = [{ at: 10 * MINUTE, forMs: 300 * MINUTE, on: 'holder', kind, byMs: 3_000, probability: 0.8 }] as const
  const { violations, counts, history } = await play({ plan, hours: 6 })
  expect(violations).toEqual([])
  expect(counts.get(`fault holder ${kind}`)).toBeGreaterThan(5)
  const struck = history.flatMap((line, index) => (line.includes(`holder ${kind} of`) ? [index] : []))
  const before = (at: number, what: string) => history.slice(Math.max(0, at - 20), at).some((line) => line.includes(what))
  expect(struck.some((at) => before(at, 'claim/granted') && !before(at, ' renewed '))).toBe(true)
  expect(struck.some((at) => before(at, ' renewed '))).toBe(true)
  expect(history.filter((line) => line.includes(` ${said}`)).length).toBeGreaterThan(5)
})

test('a rollback waits until something would be lost by it, as long as it may', async () => {
  const rollback = { at: 20 * MINUTE, on: 'store', kind: 'rollback', byMs: 1_000 } as const
  const { counts, history } = await play({ plan: [{ ...rollback, forMs: 100 * MINUTE }], hours: 6 })
  expect(counts.get('fault store rollback')).toBe(1)
  // Nothing is written before the token of a fleet is due.
  const at = Number(history.find((line) => line.endsWith(' the store is rolled back'))?.split(' ')[0])
  expect(at).toBeGreaterThan(21 * MINUTE)
  const short = await play({ plan: [{ ...rollback, forMs: 30_000 }], hours: 6 })
  expect(short.counts.get('fault store rollback')).toBeUndefined()
})

test('a use() that calls a third time is found out', async () => {
  const honest = mintedToken()
  const calling: Scenario = {
    ...honest,
    begin(surroundings) {
      const begun = honest.begin(surroundings)
      return {
        ...begun,
        start: (process) =>
          begun.start(process).map((credential) => {
            const use: TokenHandle['use'] = async (call) => {
              const token = await credential.handle.get()
              return [await call(token), await call(token), await call(token)].at(-1) as Awaited<ReturnType<typeof call>>
            }
            Object.assign(credential.handle, { use })
            return credential
          }),
      }
    },
  }
  expect((await play({ scenario: calling, troubles: 0 })).violations.join()).toContain('use() of token called 3 times')
})

describe('a close()', () => {
  const restart = { at: 20 * MINUTE, forMs: 1_000, on: 'process', kind: 'restart', node: 3, byMs: 2_000 } as const
  /** It stands still from a second after it was told to close. */
  const freeze = { at: 20 * MINUTE + 1_000, forMs: 60_000, on: 'process', kind: 'freeze', node: 3, byMs: 0 } as const

  /** The third process ends as it should, but not before this is over. */
  const closing = (isOver: (surroundings: Parameters<Scenario['begin']>[0]) => Promise<void>): Scenario => {
    const honest = mintedToken()
    return {
      ...honest,
      begin(surroundings) {
        const begun = honest.begin(surroundings)
        return {
          ...begun,
          start(process) {
            const close: typeof process.manager.close = process.manager.close.bind(process.manager)
            if (process.index === 3) {
              Object.assign(process.manager, {
                close: async (options: Parameters<typeof close>[0]) => {
                  await close(options)
                  await isOver(surroundings)
                },
              })
            }
            return begun.start(process)
          },
        }
      },
    }
  }
  const never = closing(() => new Promise(() => {}))

  test('that does not come to an end is found out', async () => {
    expect((await play({ plan: [restart] })).violations).toEqual([])
    const { violations } = await play({ plan: [restart], scenario: never })
    expect(violations[0]).toBe('1219.000 s: n3: I9: close({ graceMs: 2000 }) has not come to an end')
  })

  test('has as much time once more when its process has stood still', async () => {
    const later = closing(({ at }) => new Promise((resolve) => at(21 * MINUTE + 10_000, resolve)))
    expect((await play({ plan: [restart, freeze], scenario: later })).violations).toEqual([])
    const { violations } = await play({ plan: [restart, freeze], scenario: never })
    expect(violations[0]).toBe('1280.000 s: n3: I9: close({ graceMs: 2000 }) has not come to an end')
  })
})

test('who is down is not struck by anything else, and neither is a fault counted that has befallen nobody', async () => {
  const crash = { at: 20 * MINUTE, forMs: 30 * MINUTE, on: 'process', kind: 'crash', node: 3, byMs: 0 } as const
  const others = ['crash', 'restart', 'freeze', 'sleep', 'wall-step', 'misled'] as const
  const meanwhile = others.map((kind, index) => ({ ...crash, at: (25 + index) * MINUTE, forMs: 1_000, kind, byMs: 1_000 }))
  const { violations, counts, history } = await play({ plan: [crash, ...meanwhile] })
  expect(violations).toEqual([])
  expect([...counts].filter(([what]) => what.startsWith('fault process'))).toEqual([['fault process crash', 1]])
  const starts = history.filter((line) => line.endsWith(' n3 starts')).map((line) => Number(line.split(' ')[0]))
  expect(starts).toEqual([0, 50 * MINUTE])
})

test('one record is lost, and the others stay; of a store that can lose none, none is', async () => {
  const plan = [{ at: 10 * MINUTE, forMs: 0, on: 'store', kind: 'row-lost', byMs: 0 }] as const
  const scenario = together(mintedToken({ name: 'one' }), mintedToken({ name: 'other' }))
  const { history, violations, counts } = await play({ plan, scenario })
  expect(violations).toEqual([])
  expect(counts.get('fault store row-lost')).toBe(1)
  expect(history.filter((line) => line.includes('the store has lost'))).toHaveLength(1)
  const { counts: kept } = await play({ scenario, plan: [] })
  // What was lost is there again only when it is asked for: nobody is in need of it before it is due.
  expect(counts.get('requests')).toBe(kept.get('requests'))

  const ofMethods = (clock: { wall(): number }): PlayableStore => {
    const memory = memoryStore({ clock })
    const counting = {
      ...memory,
      losses: 0,
      lose(key: string) {
        this.losses += 1
        memory.lose(key)
      },
    }
    return counting
  }
  expect((await play({ plan, scenario, store: ofMethods })).violations).toEqual([])

  const lossless = (clock: { wall(): number }): PlayableStore => {
    const { lose: _, ...others } = memoryStore({ clock })
    return others
  }
  for (let seed = 1; seed <= 10; seed += 1) {
    const { plan: drawn } = await play({ seed, store: lossless, troubles: 40, hours: 1 })
    expect(drawn.some(({ kind }) => kind === 'row-lost')).toBe(false)
  }
})

test('a token that the upstream refuses is found out at the end', async () => {
  const honest = mintedToken()
  // Its callers do not notice, so that nobody reports it.
  const refusing: Scenario = {
    ...honest,
    begin(surroundings) {
      const begun = honest.begin(surroundings)
      const endsAt = 2 * 60 * MINUTE
      return {
        ...begun,
        start: (process) =>
          begun.start(process).map((credential) => ({
            ...credential,
            worth: (value) => (surroundings.now() >= endsAt ? 'revoked' : credential.worth(value)),
          })),
      }
    },
  }
  const { violations } = await play({ scenario: refusing, troubles: 0 })
  expect(violations.join()).toContain('a token of token that is revoked is served when nothing is wrong any more')
})

describe('a store that breaks a rule is found out:', () => {
  const broken: Readonly<Record<string, Partial<typeof rules>>> = {
    'it takes whatever is published': careless,
    'a publication that is sent again un-rejects what was rejected': {
      publish(record, attempt, fence, request, now) {
        const answered = rules.publish(record, attempt, fence, request, now)
        return record.published?.attempt === attempt ? { ...answered, record: { ...answered.record, rejectedUpTo: 0 } } : answered
      },
    },
    'it grants a lease that another holds': {
      claim: ({ lease: _, ...record }, attempt, request, now) => rules.claim(record, attempt, request, now),
    },
    'the claim that is sent again makes its lease longer': {
      claim(record, attempt, request, now) {
        const answered = rules.claim(record, attempt, request, now)
        const { lease, ...without } = record
        if (lease === undefined || answered.record !== record || answered.kind !== 'granted') return answered
        const again = rules.claim(without, attempt, { ...request, rejected: record.published?.version ?? 0 }, now)
        if (again.kind !== 'granted') return answered
        const longer = { ...lease, end: again.lease.end }
        return { kind: 'granted', record: { ...record, lease: longer }, lease: longer }
      },
    },
    'anybody can release a lease': {
      settle: (record, attempt, fence, request, now) =>
        rules.settle(
          record.lease === undefined ? record : { ...record, lease: { ...record.lease, owner: attempt, fence } },
          attempt,
          fence,
          request,
          now,
        ),
    },
    'the rejection of an older version takes the newest': {
      invalidate: (record, version, now) => rules.invalidate(record, Math.max(version, record.published?.version ?? 0), now),
    },
  }

  test.each(Object.entries(broken))('%s', async (_, broke) => {
    const wrong: string[] = []
    for (let seed = 1; seed <= 100 && wrong.length === 0; seed += 1) {
      const { violations } = await play({ seed, troubles: 40, store: (clock) => storeWith({ ...rules, ...broke }, { clock }) })
      wrong.push(...violations)
    }
    expect(wrong.length).toBeGreaterThan(0)
  })

  test('it says that it has taken what it has not, and that is what is told of it', async () => {
    const forgetful: typeof rules = {
      ...rules,
      publish(record, ...others) {
        const answered = rules.publish(record, ...others)
        return answered.kind === 'accepted' ? { ...answered, record } : answered
      },
    }
    const { violations } = await play({ troubles: 0, store: (clock) => storeWith(forgetful, { clock }) })
    expect(violations[0]).toMatch(/n\d\.\w+\.\d+\.\d+ was told that its publication on tokenwell\/brief was accepted, and it is not stored/)
  })
})
