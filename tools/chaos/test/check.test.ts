import type { Entry, StoreCall } from '@tokenwell/fleet'
import { describe, expect, test } from 'vitest'
import type { Account, Request, Strike } from '../account.ts'
import { check } from '../check.ts'

const KEY = 'feishu/host/app/tenant-access-token/tenant-0'
const USER = 'feishu/host/app/user-access-token/user-0'

/** A call of the store that took a millisecond. */
function call(at: number, node: string, told: Partial<StoreCall> & Pick<StoreCall, 'operation' | 'outcome'>): Entry {
  return { kind: 'store', at, sentAt: at - 1, node, key: `tokenwell/${KEY}`, ...told }
}

const grant = (at: number, node: string, fence: number): Entry =>
  call(at, node, { operation: 'claim', outcome: 'granted', fence, attempt: `${node} ${fence}`, leaseMs: 8_000 })

const publish = (at: number, node: string, fence: number, version = fence): Entry =>
  call(at, node, { operation: 'publish', outcome: 'accepted', fence, attempt: `${node} ${fence}`, version })

const served = (at: number, node: string, version: number, digest = `value ${version}`): Entry => ({
  kind: 'served',
  at,
  node,
  key: KEY,
  askedAt: at - 1,
  version,
  lifeMs: 36_000,
  digest,
})

const tally = (at: number, node: string, version: number, askedAt = at - 1): Entry => ({
  kind: 'tally',
  at: at + 1,
  node,
  served: 200,
  failed: {},
  last: [{ key: KEY, version, digest: `value ${version}`, askedAt, at }],
})

const rejected = (at: number, node: string, version: number): Entry => ({ kind: 'event', at, node, key: KEY, type: 'rejected', version })

const waited = (askedAt: number, at: number, boundMs: number): Entry => ({
  kind: 'waited',
  at,
  node: 'a',
  key: KEY,
  askedAt,
  callers: 1,
  boundMs,
})

const failed = (at: number, code: string, askedAt = at - 1): Entry => ({
  kind: 'failed',
  at,
  node: 'a',
  key: KEY,
  askedAt,
  code,
  message: 'no',
})

const loss = (at: number): Entry => ({ kind: 'mark', at, node: 'chaos', what: 'data-loss' })

const spending = (at: number, node: string): Entry => ({ kind: 'spending', at, node, digest: 'r' })

const request = (at: number, told: Partial<Request> = {}): Request => ({ at, key: KEY, isRefused: () => false, ...told })

const refresh = (at: number, isRefused = false): Request => request(at, { key: USER, digest: 'r', isRefused: () => isRefused })

/** What a spent one brought is stored at this moment; afterwards somebody else has the right to spend. */
const successor = (at: number): Entry[] => [
  { ...publish(at + 1, 'a', 4_000), key: `tokenwell/${USER}` } as Entry,
  { ...grant(59_950, 'b', 5_000), key: `tokenwell/${USER}` } as Entry,
]

const strike = (on: string): Strike => ({ at: 1_000, until: 2_000, on, kind: 'kill' })

/** Two rotations as they should be, and a quiet end. */
const sound: Account = {
  entries: [
    grant(10, 'a', 1_000),
    served(51, 'a', 1_000),
    publish(53, 'a', 1_000),
    served(56, 'b', 1_000),
    rejected(90, 'b', 1_000),
    grant(100, 'b', 2_000),
    publish(153, 'b', 2_000),
    served(154, 'b', 2_000),
    served(160, 'a', 2_000),
    tally(165, 'a', 2_000),
    { kind: 'closed', at: 100_000, node: 'a', asked: 10, settled: 10 },
  ],
  stops: [],
  strikes: [strike('process 0'), strike('server')],
  requests: [request(20), request(120)],
  lives: [
    { node: 'a', output: '' },
    { node: 'b', output: '' },
  ],
  rests: [{ key: KEY, afterMs: 100, said: 'idle' }],
  ends: new Map([['value 1000', 36_000]]),
  mishaps: [],
  began: 0,
  quietFrom: 60_000,
  ended: 90_000,
  keys: [KEY],
  processes: ['a'],
  planned: new Map([
    ['process 0', 1],
    ['server', 3],
  ]),
  missed: 2,
  authorizedAgain: 0,
}

type Change = Partial<Account>

const withEntries = (...entries: Entry[]): Change => ({ entries: [...sound.entries, ...entries] })

function found(change: Change): string[] {
  return check({ ...sound, ...change }).map(({ what }) => what)
}

test('a sound run has no violation', () => {
  expect(found({})).toEqual([])
  expect(found({ entries: sound.entries.toReversed() })).toEqual([])
})

describe('what must not be is found', () => {
  const wrong: Readonly<Record<string, { readonly change: Change; readonly says: RegExp }>> = {
    'a stored version that went down': {
      change: withEntries(call(170, 'a', { operation: 'read', outcome: 'read', version: 1_000 })),
      says: /^I2: the store said version 2000 to b and afterwards 1000 to a, .*tenant-0$/,
    },
    'an older publication that was accepted': {
      change: withEntries(publish(180, 'c', 1_500, 2_000)),
      says: /^I3: c published 1500 after b/,
    },
    'a lease taken from its holder': {
      change: withEntries(grant(170, 'a', 3_000), grant(180, 'b', 3_001)),
      says: /^I6: b was granted a lease while a held one/,
    },
    'a process that went back': { change: withEntries(served(190, 'a', 1_000)), says: /^I5: a served .* 1000 after 2000/ },
    'a token that the process had rejected itself': {
      change: withEntries(rejected(170, 'a', 2_000), tally(190, 'a', 2_000)),
      says: /^I5: a served .* 2000, which it knew to be rejected/,
    },
    'a token that the store had called rejected': {
      change: withEntries({ kind: 'served-rejected', at: 190, node: 'a', key: KEY, version: 2_000, rejectedUpTo: 2_000 }),
      says: /^I5: a served .* 2000, and had been told that all up to 2000 are rejected/,
    },
    'an expired token, by the clocks of the process': {
      change: withEntries({ kind: 'served-expired', at: 190, node: 'a', key: KEY, version: 2_000, lifeMs: -150 }),
      says: /^I5: a served .* 2000 150 ms after its end/,
    },
    "an expired token, by the platform's word": {
      change: withEntries(tally(36_200, 'a', 1_000)),
      says: /^a served .* 1000 200 ms after the platform had ended it/,
    },
    'two values of one version': {
      change: withEntries(served(190, 'c', 2_000, 'another')),
      says: /^c served another value as .* 2000 than b/,
    },
    'a failure that is no TokenError': { change: withEntries(failed(190, 'not a TokenError')), says: /^a caller of a got: no/ },
    'a caller who waited too long': {
      change: withEntries(waited(1_000, 8_000, 4_000)),
      says: /^a caller of a waited 7000 ms for .*, and wanted to wait 4000 ms at most/,
    },
    'a caller without an answer': {
      change: withEntries({ kind: 'closed', at: 100_000, node: 'b', asked: 10, settled: 9 }),
      says: /^I8: 10 callers asked b, 9 were answered/,
    },
    'a caller who fails in the quiet': {
      change: withEntries(failed(70_000, 'UPSTREAM_UNAVAILABLE')),
      says: /^a caller of a failed in the quiet: .* UPSTREAM_UNAVAILABLE/,
    },
    'a patient caller who is not served in the quiet': {
      change: withEntries(failed(76_000, 'TIMEOUT', 61_000)),
      says: /^a caller of a failed in the quiet: .* TIMEOUT/,
    },
    'processes that do not agree in the end': {
      change: { rests: [{ key: KEY, said: 'idle 1; idle 2' }] },
      says: /^the processes did not come to agree on .*: idle 1; idle 2/,
    },
    'a process that ended by itself': {
      change: { lives: [{ node: 'a', output: '', unexpected: 'ended by itself (1)' }] },
      says: /^a ended by itself \(1\)/,
    },
    'a process that printed something': {
      change: { lives: [{ node: 'a', output: 'Uncaught\n' }] },
      says: /^a printed: Uncaught$/,
    },
    'a mishap of the machinery': { change: { mishaps: ['process 7 is left'] }, says: /^process 7 is left$/ },
    'too many requests': {
      change: { requests: Array.from({ length: 20 }, (_, index) => request(index)) },
      says: /^I10: 20 requests for .* within a minute; 14 have a reason/,
    },
    'a refresh token that was spent again after its successor was stored': {
      change: { ...withEntries(...successor(50_100), spending(60_000, 'b')), requests: [refresh(50_000), refresh(60_001)] },
      says: /^b spent a refresh token of .*user-0 again, 9848 ms after its successor was stored/,
    },
    'a refresh token that was sent twice': {
      change: { requests: [refresh(50_000), refresh(52_000)] },
      says: /^a refresh token of .*user-0 was sent twice within 2000 ms/,
    },
  }

  test.each(Object.entries(wrong))('%s', (_, { change, says }) => {
    expect(found(change)).toEqual([expect.stringMatching(says)])
  })
})

describe('a run in which too little happened is no proof', () => {
  const idle: Readonly<Record<string, { readonly change: Change; readonly says: string }>> = {
    'nothing was planned': { change: { planned: new Map(), strikes: [], missed: 0 }, says: 'too little: nothing was planned to go wrong' },
    'nothing struck any process': {
      change: {
        planned: new Map([
          ['process 0', 1],
          ['process 1', 2],
          ['server', 2],
        ]),
        strikes: [strike('server'), strike('server')],
      },
      says: 'too little: nothing struck any process',
    },
    'nothing struck one of the processes, for which there was much': {
      change: {
        planned: new Map([
          ['process 0', 20],
          ['process 1', 20],
        ]),
        strikes: Array.from({ length: 20 }, () => strike('process 0')),
        missed: 20,
      },
      says: 'too little: none of 20 faults struck process 1',
    },
    'more than half of the faults had no occasion': { change: { missed: 3 }, says: 'too little: 3 of 5 faults had no occasion' },
    'a process served next to nothing': { change: { ended: 110_000 }, says: 'too little: a served 200 gets, fewer than 220' },
    'a process was never heard of': { change: { processes: ['a', 'node 7'] }, says: 'too little: node 7 served 0 gets, fewer than 180' },
  }

  test.each(Object.entries(idle))('%s', (_, { change, says }) => {
    expect(found(change)).toEqual([says])
  })

  test('what its lives have served is of one process', () => {
    const lives = [tally(200, 'node 0 life 1', 2_000), tally(300, 'node 0 life 2', 2_000)]
    expect(found({ entries: [...sound.entries, ...lives], processes: ['node 0'], ended: 195_000 })).toEqual([])
  })

  test('one process for which little was planned may be spared', () => {
    const planned = new Map([...sound.planned, ['process 1', 19]] as const)
    expect(found({ planned })).toEqual([])
  })

  test('and so may all of a kind for which next to nothing was planned', () => {
    const planned = new Map([...sound.planned, ['wire 0', 1], ['wire 1', 1]] as const)
    expect(found({ planned })).toEqual([])
  })
})

describe('what cannot be prevented is no violation', () => {
  const excused: Readonly<Record<string, Change>> = {
    'what a store has lost it may say and accept again': withEntries(
      loss(170),
      call(180, 'a', { operation: 'read', outcome: 'read', version: 0 }),
      publish(190, 'c', 1_500),
    ),
    'whoever is killed cannot say that it gave its lease back': {
      ...withEntries(grant(170, 'a', 3_000), grant(180, 'b', 3_001)),
      lives: [{ node: 'a', output: '', killedAt: 175 }],
    },
    'a process that is frozen while it serves has decided before': {
      ...withEntries(tally(38_000, 'a', 1_000, 35_000), {
        kind: 'served-expired',
        at: 38_000,
        node: 'a',
        key: KEY,
        version: 2_000,
        lifeMs: -1_900,
      }),
      stops: [{ node: 'a', from: 35_500, to: 37_990 }],
    },
    'callers of a frozen process are frozen': {
      ...withEntries(waited(1_000, 20_000, 15_000)),
      stops: [{ node: 'a', from: 2_000, to: 9_000 }],
    },
    'impatient callers may fail at any time, and those who leave': withEntries(failed(70_000, 'TIMEOUT'), failed(70_000, 'ABORTED')),
    'a refresh token that waited whether its successor comes': { requests: [refresh(50_000), refresh(53_001)] },
    'a refresh token that was refused, unspent': { requests: [refresh(50_000, true), refresh(51_000)] },
    'a refresh token whose holder the store forgot': { ...withEntries(loss(45_000)), requests: [refresh(50_000), refresh(51_000)] },
    'a refresh token of a process that was frozen on its way': {
      ...withEntries(spending(40_000, 'a'), spending(50_900, 'b')),
      stops: [{ node: 'a', from: 40_001, to: 50_950 }],
      requests: [refresh(50_900), refresh(51_000)],
    },
    'a refresh token whose successor was stored after the right to spend it was granted': {
      ...withEntries(...successor(59_999), spending(60_000, 'b')),
      requests: [refresh(50_000), refresh(60_001)],
    },
    'a refresh token that came with what was published again while it was spent': {
      ...withEntries({ ...publish(49_000, 'a', 4_000), key: `tokenwell/${USER}` } as Entry, ...successor(50_100), spending(60_000, 'b')),
      requests: [refresh(50_000), refresh(60_001)],
    },
    'a refresh token whose successor the store forgot': {
      ...withEntries(...successor(50_100), loss(55_000), spending(60_000, 'b')),
      requests: [refresh(50_000), refresh(60_001)],
    },
    'requests for what was rejected': {
      ...withEntries(...Array.from({ length: 10 }, (_, index) => rejected(200 + index, 'a', 5_000 + index))),
      requests: Array.from({ length: 20 }, (_, index) => request(index)),
    },
  }

  test.each(Object.entries(excused))('%s', (_, change) => {
    expect(found(change)).toEqual([])
  })
})

describe('an excuse covers nothing but its own', () => {
  test('another process was frozen', () => {
    const stops = [{ node: 'b', from: 2_000, to: 9_000 }]
    expect(found({ ...withEntries(waited(1_000, 20_000, 15_000)), stops })).toHaveLength(1)
    expect(found({ ...withEntries(tally(38_000, 'a', 1_000)), stops })).toHaveLength(1)
  })

  test('the store forgot long before, or afterwards', () => {
    const requests = [refresh(50_000), refresh(51_000)]
    expect(found({ ...withEntries(loss(30_000), loss(52_000)), requests })).toHaveLength(1)
  })

  test('the store forgot another record', () => {
    const lost = (at: number, key: string): Entry => ({ kind: 'mark', at, node: 'chaos', what: 'data-loss', key })
    const reading = call(180, 'a', { operation: 'read', outcome: 'read', version: 0 })
    expect(found(withEntries(lost(170, USER), reading))).toEqual([expect.stringMatching(/^I2: /)])
    expect(found(withEntries(lost(170, KEY), reading))).toEqual([])
    const requests = [refresh(50_000), refresh(51_000)]
    expect(found({ ...withEntries(lost(45_000, KEY)), requests })).toHaveLength(1)
    expect(found({ ...withEntries(lost(45_000, USER)), requests })).toEqual([])
    const spent = [refresh(50_000), refresh(60_001)]
    expect(found({ ...withEntries(...successor(50_100), lost(55_000, KEY), spending(60_000, 'b')), requests: spent })).toHaveLength(1)
    expect(found({ ...withEntries(...successor(50_100), lost(55_000, USER), spending(60_000, 'b')), requests: spent })).toEqual([])
  })

  test('the holder of a lease was killed only afterwards', () => {
    const change = withEntries(grant(170, 'a', 3_000), grant(180, 'b', 3_001))
    expect(found({ ...change, lives: [{ node: 'a', output: '', killedAt: 9_000 }] })).toHaveLength(1)
  })
})
