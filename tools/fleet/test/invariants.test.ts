import { describe, expect, test } from 'vitest'
import type { StoreCall } from '../entry.ts'
import { type Entry, violations } from '../index.ts'

const TOKEN = 'tokenwell/feishu/host/app/app-access-token'

/** A call of the store that took a millisecond. */
function call(at: number, node: string, told: Partial<StoreCall> & Pick<StoreCall, 'operation' | 'outcome'>): Entry {
  return { kind: 'store', at, sentAt: at - 1, node, key: TOKEN, ...told }
}

const grant = (at: number, node: string, fence: number, attempt = `${node} ${fence}`): Entry =>
  call(at, node, { operation: 'claim', outcome: 'granted', fence, attempt, leaseMs: 8_000 })

const publish = (at: number, node: string, fence: number, outcome = 'accepted', version = fence): Entry =>
  call(at, node, { operation: 'publish', outcome, fence, attempt: `${node} ${fence}`, version })

const served = (at: number, node: string, version: number): Entry => ({
  kind: 'served',
  at,
  node,
  askedAt: at - 1,
  version,
  lifeMs: 7_200_000,
  digest: 'd',
})

const fetched = (sentAt: number, at: number, node: string): Entry => ({ kind: 'fetch', sentAt, at, node, status: 200 })

/** Two rotations as they should be. */
const sound: readonly Entry[] = [
  grant(10, 'a', 1_000),
  call(12, 'b', { operation: 'claim', outcome: 'held', version: 0, attempt: 'b 1' }),
  fetched(11, 50, 'a'),
  served(51, 'a', 1_000),
  publish(53, 'a', 1_000),
  call(55, 'b', { operation: 'read', outcome: 'read', version: 1_000 }),
  served(56, 'b', 1_000),
  grant(100, 'b', 2_000),
  fetched(101, 150, 'b'),
  publish(153, 'b', 2_000),
  served(154, 'b', 2_000),
  served(160, 'a', 2_000),
  { kind: 'closed', at: 200, node: 'a', asked: 10, settled: 10 },
]

test('a sound history has no violation, in whatever order it was collected', () => {
  expect(violations(sound, { faultless: true })).toEqual([])
  expect(violations([...sound].reverse(), { faultless: true })).toEqual([])
})

describe('what must not be is found', () => {
  const wrong: Readonly<Record<string, { readonly history: readonly Entry[]; readonly says: RegExp }>> = {
    'two requests at the same time': { history: [...sound, fetched(40, 60, 'b')], says: /^I1: a and b asked/ },
    'a stored version that went down': {
      history: [...sound, call(170, 'a', { operation: 'read', outcome: 'read', version: 1_000 })],
      says: /^I2: the store said version 2000 to b and afterwards 1000 to a/,
    },
    'an older publication that was accepted': {
      history: [...sound, publish(180, 'c', 1_500, 'accepted', 2_000)],
      says: /^I3: c published 1500 after b had published 2000/,
    },
    'the same fence published by another attempt': {
      history: [...sound, publish(180, 'c', 2_000)],
      says: /^I3: c published 2000/,
    },
    'a caller who waited too long': {
      history: [...sound, { kind: 'waited', at: 30_000, askedAt: 1_000, node: 'a', callers: 3 }],
      says: /^I4: 3 callers of a waited 29000 ms/,
    },
    'a process that went back': { history: [...sound, served(190, 'a', 1_000)], says: /^I5: a served version 1000 after 2000/ },
    'a rejected token': {
      history: [...sound, { kind: 'event', at: 170, node: 'a', key: TOKEN, type: 'rejected', version: 2_000 }, served(190, 'a', 2_000)],
      says: /^I5: a served version 2000, which it knew to be rejected/,
    },
    'an expired token': {
      history: [...sound, { kind: 'served-expired', at: 190, node: 'a', version: 2_000, lifeMs: -5 }],
      says: /^I5: a served version 2000 5 ms after its end/,
    },
    'a token that the store had called rejected': {
      history: [...sound, { kind: 'served-rejected', at: 190, node: 'a', version: 2_000, rejectedUpTo: 2_000 }],
      says: /^I5: a served version 2000, and had been told that 2000/,
    },
    'two values of one version': {
      history: [...sound, { ...served(190, 'c', 2_000), digest: 'e' } as Entry],
      says: /^c served another value as version 2000/,
    },
    'a lease taken from its holder': { history: [...sound, grant(170, 'a', 3_000), grant(180, 'b', 3_001)], says: /^I6: b was granted/ },
    'one fence for two attempts': {
      history: [
        ...sound,
        grant(170, 'a', 3_000),
        call(171, 'a', { operation: 'settle', outcome: 'settled', attempt: 'a 3000' }),
        grant(180, 'b', 3_000),
      ],
      says: /^I7: b was granted the fence 3000/,
    },
    'a publication that was repeated, and published something else': {
      history: [...sound, publish(180, 'b', 2_000, 'accepted', 3_000)],
      says: /^I7: b published 2000 again, and the version went from 2000 to 3000/,
    },
    'a caller without an answer': {
      history: [...sound, { kind: 'closed', at: 200, node: 'b', asked: 10, settled: 9 }],
      says: /^I8: 10 callers asked b, 9 were answered/,
    },
    'a failure that is no TokenError': {
      history: [...sound, { kind: 'failed', at: 190, node: 'a', askedAt: 1, code: 'not a TokenError', message: 'oops' }],
      says: /^a caller of a got: oops/,
    },
  }

  test.each(Object.entries(wrong))('%s', (_, { history, says }) => {
    expect(violations(history, { faultless: true })).toEqual([expect.stringMatching(says)])
  })
})

test('a publication may be accepted once more, and a ticket be published again over a dead one', () => {
  const over = call(190, 'b', { operation: 'publish', outcome: 'accepted', fence: 2_500, attempt: 'b 2000', version: 2_500 })
  const again = call(200, 'b', { operation: 'publish', outcome: 'accepted', fence: 2_000, attempt: 'b 2000', version: 2_500 })
  expect(violations([...sound, publish(180, 'b', 2_000)])).toEqual([])
  expect(violations([...sound, over])).toEqual([])
  expect(violations([...sound, again, over]).filter((what) => what.startsWith('I7'))).toEqual([])
})

test('what a store has lost it may say and accept again', () => {
  const lost: Entry = { kind: 'mark', at: 165, node: 'test', what: 'data-loss' }
  const after = [lost, call(170, 'c', { operation: 'read', outcome: 'read', version: 0 }), grant(172, 'c', 1_000), publish(180, 'c', 1_000)]
  expect(violations([...sound, ...after])).toEqual([])
})

test('what a store says while it loses its data is held against nothing', () => {
  const mark = (at: number, what: 'losing-data' | 'data-loss'): Entry => ({ kind: 'mark', at, node: 'test', what })
  const losing = [
    mark(165, 'losing-data'),
    call(170, 'b', { operation: 'read', outcome: 'read', version: 2_000 }),
    call(180, 'c', { operation: 'read', outcome: 'read', version: 0 }),
    mark(185, 'data-loss'),
  ]
  const after = [publish(200, 'c', 1_500), call(220, 'a', { operation: 'read', outcome: 'read', version: 1_500 })]
  expect(violations([...sound, ...losing, ...after])).toEqual([])
  expect(violations([...sound, ...losing, ...after, call(240, 'b', { operation: 'read', outcome: 'read', version: 0 })])).toEqual([
    expect.stringMatching(/^I2: the store said version 1500 .* and afterwards 0 to b/),
  ])
})

test('a lease that was given back is free, though its holder heard of that only after the store had lost its data', () => {
  const lost: Entry = { kind: 'mark', at: 300, node: 'test', what: 'data-loss' }
  const settled: Entry = {
    ...call(310, 'a', { operation: 'settle', outcome: 'settled', attempt: 'a 3000', fence: 3_000, version: 2_000 }),
    sentAt: 175,
  } as Entry
  expect(violations([...sound, grant(170, 'a', 3_000), grant(180, 'b', 3_001), lost, settled])).toEqual([])
})

test('a lease that has ended because time was moved on is free', () => {
  const ended: Entry = { kind: 'passed', at: 175, node: 'test', ms: 9_000 }
  expect(violations([...sound, grant(170, 'a', 3_000), ended, grant(180, 'b', 3_001)])).toEqual([])
})

test('calls that overlap prove nothing', () => {
  const overlapping: Entry = { ...call(156, 'a', { operation: 'read', outcome: 'read', version: 1_000 }), sentAt: 152 } as Entry
  expect(violations([...sound, overlapping])).toEqual([])
})

test('a lease counts from when it was first asked for, however often the claim was sent again', () => {
  const lost = call(170, 'a', { operation: 'claim', outcome: 'failed', attempt: 'a 3000', leaseMs: 8_000 })
  expect(violations([...sound, lost, grant(8_000, 'a', 3_000), grant(8_180, 'b', 3_001)])).toEqual([])
  expect(violations([...sound, lost, grant(7_000, 'a', 3_000), grant(7_180, 'b', 3_001)])).toEqual([
    expect.stringMatching(/^I6: b was granted/),
  ])
})
