import { setTimeout as passed } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { type CallReport, machineNow } from '../../index.ts'
import { adopted, ends, fleetOn, frozenPastLease, pushTicket, slowUpstream, staged, TAKEOVER_MS, wakeUps } from './acts.ts'
import { figure, spread } from './figures.ts'
import { highest, hinted, lastVersions, nodesWith, publications, servedTo, sum, valuesOf } from './history.ts'
import type { Stage } from './stage.ts'

const UPSTREAM_MS = 2_000
/** Under load, one after the other. */
const ROTATIONS = process.env.TOKENWELL_NIGHTLY === undefined ? 8 : 20
/** What a machine with other things to do adds to what is promised, milliseconds. */
const SLOW_MACHINE_MS = 3_000

/** Registers what every store promises a fleet. `push`: whether it wakes those who wait. */
export function describeFleet(start: () => Stage | Promise<Stage>, { push }: { readonly push: boolean }): void {
  describe('a fleet', () => {
    const stage = staged(start)
    promises(stage, push)
    if (push) {
      wakes(stage)
      moves(stage)
      goesWithoutPush(stage)
    } else {
      rereads(stage)
    }
  })
}

function promises(stage: () => Stage, push: boolean): void {
  test('a cold stampede of 8 processes and 16,000 callers is one request', async (context) => {
    const fleet = await fleetOn(stage(), context, { nodes: 8 })
    await pushTicket(fleet)
    const upstream = await slowUpstream(fleet)
    const bursting = fleet.burst(2_000)
    await upstream.asked
    await fleet.when('seven nodes are held', (history) => nodesWith(history, 'held').size >= 7)
    const releasedAt = machineNow()
    upstream.answer()
    const reports = await bursting

    expect(fleet.requests).toBe(1)
    expect(reports.map(servedTo)).toEqual(Array.from({ length: 8 }, () => 2_000))
    expect(valuesOf(reports)).toHaveLength(1)
    expect(valuesOf(reports).map((value) => fleet.platform.judge(value))).toEqual(['valid'])
    figure(stage().name, 'cold stampede', {
      requests: fleet.requests,
      'all served after the reply, ms': Math.max(...reports.map(({ lastAt }) => lastAt)) - releasedAt,
    })
    await ends(fleet, { faultless: true })
  })

  test(`${ROTATIONS} rotations under load are as many requests, and nobody waits`, async (context) => {
    const fleet = await fleetOn(stage(), context, { nodes: 8 })
    await pushTicket(fleet)
    await fleet.burst(10)
    await fleet.startLoad()
    let reports: CallReport[] = []
    for (let rotation = 1; rotation <= ROTATIONS; rotation++) {
      const upstream = await slowUpstream(fleet)
      await fleet.passToRenewal()
      await upstream.asked
      await passed(UPSTREAM_MS)
      const before = highest(fleet)
      upstream.answer()
      await adopted(fleet, before + 1, push)
      expect(fleet.requests).toBe(1 + rotation)
    }
    reports = await fleet.endLoad()

    expect(reports.map(({ errors }) => errors)).toEqual(reports.map(() => ({})))
    expect(sum(reports.map(({ blocked }) => blocked))).toBe(0)
    expect(valuesOf(reports)).toHaveLength(ROTATIONS + 1)
    expect(fleet.platform.counters().maxInFlight.app_access_token).toBe(1)
    figure(stage().name, `${ROTATIONS} rotations`, {
      requests: fleet.requests - 1,
      callers: sum(reports.map(({ callers }) => callers)),
      'longest get, ms': Math.max(...reports.map(({ longestMs }) => longestMs)),
    })
    await ends(fleet, { faultless: true })
  }, 120_000)

  // Most of these is waiting for a lease to end: they wait together.
  test.concurrent('a holder killed in the middle of its request is replaced when its lease is over', async (context) => {
    const fleet = await fleetOn(stage(), context, { nodes: 4 })
    await pushTicket(fleet)
    const upstream = await slowUpstream(fleet)
    const bursting = fleet.burst(100)
    await upstream.asked
    await fleet.when('somebody holds the lease', (history) => nodesWith(history, 'granted').size === 1)
    const holder = fleet.nodes.find(({ name }) => nodesWith(fleet.history, 'granted').has(name))
    fleet.mark('fault')
    const killedAt = machineNow()
    await holder?.kill()
    upstream.answer()
    const reports = await bursting

    expect(reports.map(servedTo)).toEqual([100, 100, 100])
    expect(valuesOf(reports)).toHaveLength(1)
    expect(fleet.requests).toBe(2)
    const recovery = Math.max(...reports.map(({ lastAt }) => lastAt)) - killedAt
    expect(recovery).toBeLessThan(TAKEOVER_MS + SLOW_MACHINE_MS)
    figure(stage().name, 'holder killed', { requests: fleet.requests, 'all served after, ms': recovery })
    await ends(fleet)
  })

  test.concurrent('a holder killed before it publishes is replaced, and what it had fetched is nobody’s', async (context) => {
    const fleet = await fleetOn(stage(), context, { nodes: 4 })
    await pushTicket(fleet)
    const bursting = fleet.burst(100)
    const holder = await fleet.holdFirst('publishing')
    fleet.mark('fault')
    await holder.kill()
    // Its own callers have had the token, and may have said so.
    const reports = await bursting

    expect(reports.length).toBeGreaterThanOrEqual(3)
    expect(reports.map(servedTo)).toEqual(reports.map(() => 100))
    expect(fleet.requests).toBe(2)
    // Others may have been told before the answer was.
    await fleet.when('the publication is answered', (history) => publications(history).length > 0)
    expect(publications(fleet.history).map(({ outcome }) => outcome)).toEqual(['accepted'])
    await ends(fleet)
  })

  test.concurrent('a holder frozen past its lease does not send its request when it goes on', async (context) => {
    const fleet = await fleetOn(stage(), context, { nodes: 4 })
    await pushTicket(fleet)
    const bursting = fleet.burst(100)
    const holder = await fleet.holdFirst('requesting')
    await frozenPastLease(fleet, holder, 'requesting')
    const reports = await bursting

    expect(valuesOf(reports)).toHaveLength(1)
    expect(reports.map(servedTo)).toEqual([100, 100, 100, 100])
    expect(fleet.requests).toBe(1)
    await ends(fleet)
  })

  test.concurrent('a publication that comes after a takeover is superseded, and no process goes back', async (context) => {
    const fleet = await fleetOn(stage(), context, { nodes: 4 })
    await pushTicket(fleet)
    const bursting = fleet.burst(100)
    const holder = await fleet.holdFirst('publishing')
    await frozenPastLease(fleet, holder, 'publishing')
    const reports = await bursting
    await fleet.when('the late publication was answered', (history) =>
      publications(history).some(({ node, outcome }) => node === holder.name && outcome === 'superseded'),
    )

    expect(reports.map(servedTo)).toEqual([100, 100, 100, 100])
    expect(fleet.requests).toBe(2)
    await fleet.burst(1)
    expect(new Set(lastVersions(fleet).values()).size).toBe(1)
    await ends(fleet)
  })

  test.concurrent('a late publication that is still the newest is accepted, and is everyone’s', async (context) => {
    const fleet = await fleetOn(stage(), context, { nodes: 4 })
    await pushTicket(fleet)
    const [alone, ...others] = fleet.nodes
    const bursting = fleet.burst(100, alone === undefined ? [] : [alone])
    const holder = await fleet.holdFirst('publishing')
    fleet.mark('fault')
    holder.stop()
    await passed(TAKEOVER_MS)
    const released = holder.order('release', 'publishing')
    holder.resume()
    fleet.mark('healed')
    await released
    await bursting
    await fleet.when('the late publication was accepted', (history) => publications(history).some(({ outcome }) => outcome === 'accepted'))
    const reports = await fleet.burst(100, others)

    expect(reports.map(servedTo)).toEqual([100, 100, 100])
    expect(fleet.requests).toBe(1)
    await ends(fleet)
  })

  test('a ticket that one process received is everyone’s, survives restarts, and an older one does not replace it', async (context) => {
    const fleet = await fleetOn(stage(), context, { nodes: 8 })
    const [receiver, ...others] = fleet.nodes
    if (receiver === undefined) throw new Error('a fleet of nobody')
    const older = await fleet.pushTicket(receiver)
    expect(older.status).toBe(200)
    expect(await receiver.close()).toBe(0)
    for (const [index, other] of others.entries()) {
      if (index > 0) await fleet.passToEnd()
      expect((await fleet.burst(10, [other])).map(servedTo)).toEqual([10])
      expect(fleet.requests).toBe(index + 1)
    }

    const [second] = others
    if (second === undefined) throw new Error('a fleet of one')
    expect((await fleet.pushTicket(second)).status).toBe(200)
    fleet.platform.invalidateTicket(fleet.app.appId, older.delivery.ticket)
    await Promise.all(fleet.nodes.map((node) => node.close()))
    await fleet.passToEnd()
    const restarted = await fleet.add()
    fleet.platform.setEventUrl(fleet.app.appId, restarted.eventUrl)
    expect((await fleet.platform.redeliver(older.delivery)).status).toBe(200)
    expect(nodesWith(fleet.history, 'ticket-ignored')).toEqual(new Set([restarted.name]))
    expect((await fleet.burst(10)).map(servedTo)).toEqual([10])

    // The older ticket would have been refused.
    expect(fleet.platform.counters().errors).toEqual({})
    expect(fleet.requests).toBe(others.length + 1)
    await ends(fleet, { faultless: true })
  })

  test('fresh tokens cost the store nothing, a rotation at most two operations a process and three for the holder', async (context) => {
    const fleet = await fleetOn(stage(), context, { nodes: 8 })
    await pushTicket(fleet)
    await fleet.burst(10)
    const operations = stage().operations ?? (async () => fleet.history.filter(({ kind }) => kind === 'store').length)
    // A hint that came after the token is looked into once, by the next caller.
    for (let round = 0; round < 2; round++) await fleet.burst(10)
    const fresh = await operations()
    for (let round = 0; round < 5; round++) await fleet.burst(1_000)
    expect(await operations()).toBe(fresh)

    await fleet.passToRenewal()
    const before = highest(fleet)
    await fleet.startLoad()
    await adopted(fleet, before + 1, push)
    await fleet.endLoad()
    const rotated = await operations()
    expect(rotated - fresh).toBeLessThanOrEqual(2 * 8 + 3)
    figure(stage().name, 'operations', { 'for 40,000 gets': 0, 'for a rotation of 8 processes': rotated - fresh })
    await ends(fleet, { faultless: true })
  })
}

function wakes(stage: () => Stage): void {
  test('waiting processes are woken by the publication', async (context) => {
    const fleet = await fleetOn(stage(), context, { nodes: 8 })
    await pushTicket(fleet)
    const delays = await wakeUps(fleet, 40)
    // Each of them was told, and none waited for the insurance against a lost hint.
    expect(hinted(fleet).size).toBe(8)
    expect(delays.at(-1)).toBeLessThan(2_000)
    figure(stage().name, 'wake-up', spread(delays))
    await ends(fleet, { faultless: true })
  }, 60_000)
}

function moves(stage: () => Stage): void {
  test('a token that one process reports as rejected is replaced for all by one request', async (context) => {
    const fleet = await fleetOn(stage(), context, { nodes: 4 })
    await pushTicket(fleet)
    await fleet.burst(10)
    await fleet.startLoad()
    const before = highest(fleet)
    fleet.platform.revoke(fleet.app.appId, { next: 'new' })
    await fleet.nodes[1]?.order('reject', undefined)
    await fleet.served(before + 1)
    const reports = await fleet.endLoad()

    expect(fleet.requests).toBe(2)
    expect(reports.map(({ errors }) => errors)).toEqual(reports.map(() => ({})))
    await ends(fleet, { faultless: true })
  })
}

function goesWithoutPush(stage: () => Stage): void {
  test('where push is forbidden, waiting processes are served by their timers', async (context) => {
    const fleet = await fleetOn(stage(), context, { nodes: 8, withoutPush: true })
    await pushTicket(fleet)
    const delays = await wakeUps(fleet, 10)
    expect(hinted(fleet).size).toBe(0)
    expect(delays.at(-1)).toBeLessThan(2_000)
    figure(stage().name, 'wake-up without push', spread(delays))
    await ends(fleet, { faultless: true })
  }, 60_000)
}

function rereads(stage: () => Stage): void {
  test('waiting processes are served by their timers', async (context) => {
    const fleet = await fleetOn(stage(), context, { nodes: 8 })
    await pushTicket(fleet)
    const delays = await wakeUps(fleet, 10, 1_500)
    expect(delays.at(-1)).toBeLessThan(2_000)
    figure(stage().name, 'wake-up by timers, the longest wait', spread(delays))
    const early = await wakeUps(fleet, 20)
    figure(stage().name, 'wake-up by timers', spread(early))
    await ends(fleet, { faultless: true })
  }, 90_000)
}
