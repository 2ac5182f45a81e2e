import { setTimeout as passed } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { feishuPolicy } from '../../packages/core/src/feishu/feishu-policy.ts'
import { renewInMs } from '../../packages/core/src/machine/policy.ts'
import { RESOLUTION_MS, watchLoop } from '../measure/loop-delay.ts'
import { holds } from '../report/report.ts'
import { dueInASecond, evenness } from '../scale/evenness.ts'
import { fill, type Rotation, rotate, startPlatform } from '../scale/fleet.ts'
import { limits, scale } from '../scale/index.ts'
import { at, coresOfOne, costOf, deviation, fit, fitCost, needs, rangeOf, renewalsPerSecond, shards } from '../scale/model.ts'
import { type Place, type Server, startServer } from '../scale/places.ts'
import { aged, CYCLE_MINUTES, JITTER_MINUTES, LIFE_MINUTES, minuteMs, WINDOW_MINUTES } from '../scale/schedule.ts'
import { check, coefficients, figures, type Measured, plan, rotations } from '../scale/tables.ts'
import { testRecord } from './record.ts'

testRecord(scale, [/^memory of a token/, /^event loop late/, /^busiest minute/], { isOld: true })

const MINUTE = 60_000

test('the schedule is that of the tokens of Feishu', () => {
  expect(WINDOW_MINUTES * MINUTE).toBe(feishuPolicy.renewWindowMs)
  expect(JITTER_MINUTES * MINUTE).toBe(feishuPolicy.renewJitterMs)
  expect(CYCLE_MINUTES * MINUTE).toBe(renewInMs(LIFE_MINUTES * MINUTE, 0.5, feishuPolicy))
})

test('a token that is made older is due where its draw has put it, whenever it was fetched, and time goes by faster', () => {
  for (const expiresInMs of [120 * MINUTE, 117 * MINUTE]) {
    const first = aged({ renewInMs: expiresInMs - 29 * MINUTE, expiresInMs }, 1_000, 30)
    expect(first).toEqual({ dueAt: 1_000, endsAt: 1_000 + 58_000 })
    const late = aged({ renewInMs: expiresInMs - 23 * MINUTE, expiresInMs }, 1_000, 30)
    expect(late).toEqual({ dueAt: 1_000 + 12_000, endsAt: 1_000 + 58_000 })
  }
})

test('a token that has been made older already keeps its place when it is made older again', () => {
  const { dueAt, endsAt } = aged({ renewInMs: 97 * MINUTE, expiresInMs: 120 * MINUTE }, 1_000, 30)
  // Read again half a second later, while it is not due yet.
  expect(aged({ renewInMs: dueAt - 500, expiresInMs: endsAt - 500 }, 9_000, 30)).toEqual({ dueAt: dueAt + 8_000, endsAt: endsAt + 8_000 })
})

test('renewals spread evenly over the ten minutes they are drawn from have a busiest minute 2.9 times the mean of the whole window', () => {
  const moments = Array.from({ length: 1_000 }, (_, index) => 5_000 + (index * JITTER_MINUTES * minuteMs(60)) / 1_000)
  expect(evenness(moments, 5_000, 60)).toEqual({ busiest: 100, toDrawn: 1, toWindow: 2.9 })
})

test('renewals that all come at once, or half of them in one minute, are told', () => {
  const once = Array.from({ length: 100 }, () => 5_000)
  expect(evenness(once, 5_000, 60)).toMatchObject({ busiest: 100, toDrawn: 10, toWindow: 29 })
  const half = Array.from({ length: 100 }, (_, index) => 5_000 + (index < 50 ? 0 : 1_000 + index * 80))
  expect(evenness(half, 5_000, 60).toDrawn).toBe(5)
})

test('what is due is even if each second has as much, and is told if half of it is in one', () => {
  const even = Array.from({ length: 1_200 }, (_, index) => index * 500)
  expect(dueInASecond(even)).toBe(1)
  expect(dueInASecond(even.map((at, index) => (index < 600 ? 599_500 : at)))).toBe(301)
})

test('a line is found again from points on it, and lies between those that are not on one', () => {
  const on = [1_000, 10_000, 100_000].map((tokens) => ({ tokens, measured: 3e6 + 970 * tokens }))
  const line = fit(on)
  expect(line?.once).toBeCloseTo(3e6, 0)
  expect(line?.each).toBeCloseTo(970, 6)
  const beside = on.map(({ tokens, measured }, index) => ({ tokens, measured: measured * (index === 1 ? 1.1 : 1) }))
  const between = fit(beside) ?? { once: Number.NaN, each: Number.NaN }
  const deviations = beside.map(({ tokens, measured }) => deviation(at(between, tokens), measured))
  expect(Math.max(...deviations.map(Math.abs))).toBeLessThan(0.1)
  expect(Math.min(...deviations)).toBeLessThan(0)
  expect(Math.max(...deviations)).toBeGreaterThan(0)
})

test('points of one size are on no line', () => {
  expect(fit([])).toBeUndefined()
  expect(fit([{ tokens: 1_000, measured: 4e6 }])).toBeUndefined()
  expect(fit([1, 1.1, 1.2].map((share) => ({ tokens: 30_000, measured: share * 3e7 })))).toBeUndefined()
})

test('what a server spends once, on a renewal and on each process that holds the token is told apart', () => {
  const rotated = SIZES.map((size) => ({ ...size, microseconds: 200_000 + size.tenants * (80 + 30 * size.processes) }))
  const cost = fitCost(rotated)
  expect(cost?.once).toBeCloseTo(200_000, 2)
  expect(cost?.renewal).toBeCloseTo(80, 6)
  expect(cost?.holder).toBeCloseTo(30, 6)
  expect(cost && costOf(cost, { tenants: 100_000, processes: 2 })).toBeCloseTo(14.2e6, 0)
})

test('nothing costs less than nothing: what seems to is left out', () => {
  const rotated = SIZES.map((size) => ({ ...size, microseconds: size.tenants * (30 * size.processes - 10) }))
  const cost = fitCost(rotated)
  expect(cost?.renewal).toBe(0)
  expect(cost?.holder).toBeGreaterThan(20)
  expect(cost?.holder).toBeLessThan(30)
  for (const { microseconds, ...size } of rotated)
    expect(Math.abs(deviation(cost ? costOf(cost, size) : 0, microseconds))).toBeLessThan(0.25)
})

test('rotations by one number of processes do not tell what one more costs', () => {
  const rotated = SIZES.filter(({ processes }) => processes === 8).map((size) => ({ ...size, microseconds: 300 * size.tenants }))
  expect(fitCost(rotated)).toBeUndefined()
  expect(fitCost([])).toBeUndefined()
})

test('a figure may lie as far from what the model says as the measured ones did', () => {
  const { least, greatest } = rangeOf(100, [-0.2, 0.25, 0])
  expect([least, greatest]).toEqual([80, 125])
  // What it says itself is possible, whatever it was wrong about.
  expect(rangeOf(100, [-0.5, -0.2])).toEqual({ least: 100, greatest: 200 })
})

test('ten million tokens are some 1,700 renewals a second in the mean, and ten times as many after a cold start', () => {
  const { mean, busiest } = renewalsPerSecond(10_000_000)
  expect(mean).toBeCloseTo(10_000_000 / 5_760, 6)
  expect(busiest).toBeCloseTo(10_000_000 / 600, 6)
})

test('each process that serves a tenant asks the store once for a renewal, and one publishes', () => {
  const measures = { heapBytes: { once: 0, each: 1_000 }, storeBytes: { once: 0, each: 500 }, cost: { once: 1e6, renewal: 20, holder: 20 } }
  const routed = needs(measures, { tenants: 6_000_000, processes: 20, holders: 2 })
  expect(routed).toMatchObject({ heapBytes: 600e6, storeBytes: 3e9, operations: { busiest: 30_000 } })
  expect(routed.cores.busiest).toBeCloseTo(0.6, 9)
  const anywhere = needs(measures, { tenants: 6_000_000, processes: 8, holders: 8 })
  expect(anywhere).toMatchObject({ heapBytes: 6e9, requests: { busiest: 10_000 }, operations: { busiest: 90_000 } })
  expect(anywhere.cores.busiest).toBeCloseTo(1.8, 9)
})

test('a crowded minute, a second request for a renewal, a late event loop and a token that is too large break a limit each', () => {
  const broken = (rotation: Partial<Rotation>, bytesPerToken = 1_000) =>
    limits({ name: 'Redis', isSpread: true, fillings: [filling(100_000, bytesPerToken)], rotations: [rotationOf(100_000, rotation)] })
      .filter((limit) => !holds(limit))
      .map(({ what }) => what)
  expect(broken({})).toEqual([])
  expect(broken({}, 1_100)).toEqual(['memory of a token to 1 KB, 100000 tenants'])
  expect(broken({ evenness: { busiest: 16_000, toDrawn: 1.6, toWindow: 4.64 } })[0]).toContain('busiest minute')
  expect(broken({ requests: 102_000 })[0]).toContain('upstream requests')
  expect(broken({ dueInASecond: 1.6 })[0]).toContain('renewals due in a second')
  for (const processes of [1, 8]) {
    const who = `100000 tenants, processes: ${processes}`
    expect(broken({ processes, delay: { p99Ms: 21, longest: LONGEST } })).toEqual([`event loop late by 20 ms, ${who}`])
    expect(broken({ processes, bytesPerToken: 1_100 })).toEqual([`memory of a token to 1 KB, ${who}`])
  }
  expect(limits({ name: 'Redis', isSpread: true, fillings: [filling(1_000, 3_000)], rotations: [] })).toEqual([])
})

test('what is late is held to time alone, so that other machines need not hold it', () => {
  const held = limits({ name: 'Redis', isSpread: true, fillings: [], rotations: [rotationOf(100_000, { processes: 8 })] })
  expect(held.filter(({ isOfTime }) => isOfTime).map(({ what }) => what)).toEqual([
    'event loop late by 20 ms, 100000 tenants, processes: 8',
  ])
})

test('the largest size of a store that is not measured with as many is limited too, but for the memory over which what is loaded once is spread', () => {
  const rotations = [rotationOf(10_000, { evenness: { busiest: 3_000, toDrawn: 3, toWindow: 8.7 } }), rotationOf(30_000, {})]
  const held = limits({ name: 'PostgreSQL', isSpread: false, fillings: [filling(30_000, 1_100)], rotations })
  const who = '30000 tenants of PostgreSQL, processes: 1'
  expect(held.map(({ what }) => what)).toEqual([
    `event loop late by 20 ms, ${who}`,
    `busiest minute of renewals to the mean of those they are drawn from, ${who}`,
    `upstream requests to renewals, ${who}`,
  ])
  expect(held.every(holds)).toBe(true)
})

test('the ratios of a rotation come first', () => {
  const { columns, rows } = rotations({ name: 'Redis', isSpread: true, fillings: [], rotations: [rotationOf(100_000, { processes: 8 })] })
  expect(columns.slice(0, 2)).toEqual(['tenants, processes, time', 'busiest minute to the mean of the ten'])
  expect(rows[0]?.slice(0, 4)).toEqual(['100,000 by 8, 10 ×', '1.05 ×', '3.05 ×', '1.25 ×'])
  expect(rows[0]).toHaveLength(columns.length)
})

test('how late the event loop was comes with when it was, how long there was no core for it, and what an operation took the store', () => {
  const told = (rotation: Partial<Rotation>) => {
    const { columns, rows } = rotations({ name: 'Redis', isSpread: true, fillings: [], rotations: [rotationOf(100_000, rotation)] })
    return Object.fromEntries(columns.map((column, index) => [column, rows[0]?.[index]]))
  }
  expect(told({})).toMatchObject({
    'event loop late, p99 ms': '1',
    longest: '200',
    'of which without a core': '190',
    'ended after, s': '7',
    "µs of the store's processors, each": '20',
  })
  expect(told({ lateMs: [2, 9, 3] })['event loop late, p99 ms']).toBe('3 (2 to 9)')
  expect(told({ delay: { p99Ms: 1, longest: { lateMs: 200, afterMs: 7_000 } } })['of which without a core']).toBe('')
})

test('the weights of the model are shown, with which a reader can check what it says', () => {
  const { columns, rows } = coefficients([measuredOf(() => ({}))])
  // An operation takes 20 µs: the publication of a renewal, and the claim of each process.
  expect(rows).toEqual([['Redis', '0', '1,000', '0', '500', '0', '20', '20']])
  expect(rows[0]).toHaveLength(columns.length)
})

test('the longest time for which the event loop stands still is told, and when that was', async () => {
  const end = watchLoop()
  await passed(2 * RESOLUTION_MS)
  const until = performance.now() + 200
  while (performance.now() < until);
  await passed(2 * RESOLUTION_MS)
  const { longest } = end()
  expect(longest.lateMs).toBeGreaterThan(200 - 2 * RESOLUTION_MS)
  expect(longest.afterMs).toBeGreaterThan(200)
  // The system counts what was waited for a little later than it passed.
  expect(longest.withoutCoreMs ?? 0).toBeLessThan(longest.lateMs + 2 * RESOLUTION_MS)
})

test('how late the event loop was is by how long: a stall that is one look is as much as all the callers who come into it', async () => {
  const end = watchLoop()
  const until = performance.now() + 200
  while (performance.now() < until);
  // One look of some 250, and a thirteenth of the time.
  await passed(2_500)
  const { p99Ms, longest } = end()
  expect(p99Ms).toBeGreaterThan(200 - 2 * RESOLUTION_MS)
  expect(p99Ms).toBeLessThanOrEqual(longest.lateMs)
})

test('what has ended in a stall that nobody looked at after it is late all the same', () => {
  const end = watchLoop()
  const until = performance.now() + 100
  while (performance.now() < until);
  expect(end().p99Ms).toBeGreaterThan(100 - 2 * RESOLUTION_MS)
})

test('what was measured of each size, and of each process how late it was, is kept', () => {
  const kept = figures({
    name: 'Redis',
    isSpread: true,
    fillings: [filling(1_000, 900)],
    rotations: [rotationOf(1_000, { processes: 8, lateMs: [2, 9, 3] })],
  })
  const each = (name: string) => kept.find(({ what }) => what === name)?.each
  expect(each('Redis, 1,000 fetched, a token beyond its value')).toEqual([900])
  expect(each('Redis, 1,000 renewed by 8, event loop late, p99')).toEqual([2, 9, 3])
  expect(each('Redis, 1,000 renewed by 8, requests')).toEqual([1_000])
})

test('the deviation of the model from each measurement is shown, with its sign', () => {
  const given = { operations: 1_800, requests: 1_000, evenness: { busiest: 125, toDrawn: 1.25, toWindow: 3.6 } }
  const measured = measuredOf((size) => (size.tenants === 1_000 && size.processes === 1 ? given : {}))
  const renewed = check([measured]).rows.find(([name]) => name === 'Redis, 1,000 renewed by 1')
  // All others cost as much for each operation, and it had a tenth fewer of them.
  expect(renewed?.slice(3)).toEqual(['+11.1 %', '+11.1 %', '+0 %', '−20 %'])
})

test('what ten million would take is one number where the model was right, and between two where it was not', () => {
  const deployment = { tenants: 10_000_000, processes: 20, holders: 2 }
  const [exact] = plan([measuredOf(() => ({}))], [deployment]).rows
  expect(exact?.slice(1)).toEqual(['1', '5', '1,736 and 16,667', '5,208 and 50,000', '0.104', '1', '3 shards'])
  // Of one core, half of which may be busy; 3 operations cost 60 µs.
  const dearer = measuredOf(({ tenants }) => (tenants === 100_000 ? { serverMicroseconds: 80 } : {}))
  const [spread] = plan([dearer], [deployment]).rows
  expect(spread?.[6]).toMatch(/^\d.* to \d/)
  expect(spread?.[7]).toMatch(/^3 to \d+ shards$/)
  expect(plan([{ ...dearer, isSpread: false }], [deployment]).rows[0]?.[7]).toMatch(/^one with \d+ to \d+ cores$/)
})

test('nothing is said of ten million where too little was measured', () => {
  const rotations = [rotationOf(1_000, {}), rotationOf(10_000, {})]
  const measured = { name: 'Redis', isSpread: true, fillings: [filling(1_000, 1_000), filling(10_000, 1_000)], rotations }
  expect(() => plan([measured], [{ tenants: 10_000_000, processes: 20, holders: 2 }])).toThrow('Redis: too little was measured')
})

test('a measurement has no part in what the model says of it', () => {
  const fillings = [1_000, 10_000, 100_000].map((tenants) => filling(tenants, tenants === 100_000 ? 2_000 : 1_000))
  const dear = measuredOf(({ tenants, processes }) => (tenants === 100_000 && processes === 8 ? { serverMicroseconds: 80 } : {}))
  const { rows } = check([{ ...dear, fillings }])
  expect(rows.find(([name]) => name === 'Redis, 100,000 fetched')?.[1]).toBe('−50 %')
  expect(rows.find(([name]) => name === 'Redis, 100,000 renewed by 8')?.[4]).toBe('−75 %')
  const alone = check([{ ...dear, rotations: [rotationOf(1_000, {})] }]).rows
  expect(alone.find(([name]) => name === 'Redis, 1,000 renewed by 1')?.[4]).toBe('')
})

test('a shard is not busy for more than half of the worst minute, and does not hold more than ten gigabytes', () => {
  expect(shards({ storeBytes: 0, cores: 0 })).toBe(3)
  expect(shards({ storeBytes: 0, cores: 2.2 })).toBe(5)
  expect(shards({ storeBytes: 61e9, cores: 0 })).toBe(7)
  expect(coresOfOne({ storeBytes: 0, cores: 2.2 })).toBe(5)
})

test.each(['redis', 'postgres'] as const)(
  'on %s two processes renew every token, each with one request',
  { timeout: 180_000 },
  async (kind) => {
    await withPlatform(kind, async (server, platform) => {
      const tenants = 50
      const filled = await fill(server, platform, tenants)
      expect(filled.heapBytes).toBeGreaterThan(0)
      expect(filled.storeBytes).toBeGreaterThan(0)
      const rotation = await rotate(server, platform, { tenants, processes: 2, speed: 60 })
      expect(rotation).toMatchObject({ requests: tenants, tenants, processes: 2 })
      // What is renewed by one process may be known to the other before it asks.
      expect(rotation.operations).toBeGreaterThan(2 * tenants)
      expect(rotation.evenness.busiest).toBeLessThan(tenants)
      // The tokens of the tenants, and of the app, each in some second.
      expect(rotation.dueInASecond).toBeGreaterThanOrEqual(600 / (tenants + 1))
      expect(rotation.dueInASecond).toBeLessThan(300)
      expect(rotation.lateMs).toHaveLength(2)
    })
  },
)

const LONGEST = { lateMs: 200, afterMs: 7_000, withoutCoreMs: 190 }

/** Three sizes, by one process and by eight. */
const SIZES = [1_000, 10_000, 100_000].flatMap((tenants) => [1, 8].map((processes) => ({ tenants, processes })))

/** What was measured of {@link SIZES} where each operation costs as much. */
function measuredOf(given: (size: (typeof SIZES)[number]) => Partial<Rotation>): Measured {
  return {
    name: 'Redis',
    isSpread: true,
    fillings: [1_000, 10_000, 100_000].map((tenants) => filling(tenants, 1_000)),
    rotations: SIZES.map((size) => rotationOf(size.tenants, { ...size, operations: size.tenants * (size.processes + 1), ...given(size) })),
  }
}

type Platform = Awaited<ReturnType<typeof startPlatform>>

async function withPlatform(kind: Place['kind'], run: (server: Server, platform: Platform) => Promise<void>): Promise<void> {
  const server = await startServer(kind)
  try {
    const platform = await startPlatform()
    try {
      await run(server, platform)
    } finally {
      await platform.end()
    }
  } finally {
    await server.stop()
  }
}

function filling(tenants: number, bytesPerToken: number) {
  return { tenants, heapBytes: tenants * bytesPerToken, bytesPerToken, perSecond: 1_000, storeBytes: tenants * 500 }
}

function rotationOf(tenants: number, given: Partial<Rotation>): Rotation {
  return {
    tenants,
    processes: 1,
    speed: 10,
    heapBytes: tenants * 1_000,
    bytesPerToken: 1_000,
    delay: { p99Ms: 1, longest: LONGEST },
    lateMs: [1],
    dueInASecond: 1.25,
    requests: tenants,
    evenness: { busiest: tenants / 10, toDrawn: 1.05, toWindow: 3.05 },
    operations: 2 * tenants,
    tookMs: 10_000,
    serverMicroseconds: 20,
    ...given,
  }
}
