import { describe, expect, test } from 'vitest'
import { machineNow } from '../../index.ts'
import { ends, fleetOn, pushTicket, STORE_TIMEOUT_MS, staged } from './acts.ts'
import { figure } from './figures.ts'
import { lastVersions, publications, servedTo, sum } from './history.ts'
import type { ServerStage } from './stage.ts'

/** How long callers wait who are not to be served. Two tries of the store take two seconds. */
const PATIENCE_MS = 4_000

/** Registers what holds when the server of the store freezes or goes away. */
export function describeFleetWithServer(start: () => Promise<ServerStage>): void {
  describe('a fleet whose store is in trouble', () => goesWithoutStore(staged(start)))
}

function goesWithoutStore(stage: () => ServerStage): void {
  test('while the store is frozen, valid tokens are served at once and a process without one is told in time', async (context) => {
    const { server } = stage()
    const fleet = await fleetOn(stage(), context, { nodes: 4, storeTimeoutMs: STORE_TIMEOUT_MS })
    await pushTicket(fleet)
    await fleet.burst(10)
    fleet.mark('fault')
    server.pause()
    await fleet.startLoad()
    const newcomer = await fleet.add()
    const [without] = await fleet.burst(10, [newcomer], PATIENCE_MS)
    server.resume()
    fleet.mark('healed')
    const reports = await fleet.endLoad()
    const [after] = await fleet.burst(10, [newcomer])

    expect(without?.errors).toEqual({ STORE_UNAVAILABLE: 10 })
    expect(without?.longestMs).toBeLessThan(PATIENCE_MS + 1_000)
    expect(sum(reports.map(({ blocked }) => blocked))).toBe(0)
    expect(after?.errors).toEqual({})
    expect(fleet.requests).toBe(1)
    figure(stage().name, 'store frozen', {
      'longest get with a token, ms': Math.max(...reports.map(({ longestMs }) => longestMs)),
      'without one, ms': without?.longestMs ?? 0,
    })
    await ends(fleet)
  })

  test('without the store, processes that know the ticket fetch once each, and agree when it is back', async (context) => {
    const { server } = stage()
    const fleet = await fleetOn(stage(), context, { nodes: 4, storeTimeoutMs: STORE_TIMEOUT_MS })
    const [first, second, third, fourth] = fleet.nodes
    if (!first || !second || !third || !fourth) throw new Error('a fleet of less than four')
    const { delivery } = await fleet.pushTicket(first)
    fleet.platform.setEventUrl(fleet.app.appId, second.eventUrl)
    await fleet.platform.redeliver(delivery)
    fleet.mark('fault')
    await server.kill()
    const [knowing, unknowing] = await Promise.all([fleet.burst(100, [first, second]), fleet.burst(100, [third, fourth], PATIENCE_MS)])
    expect(knowing.map(servedTo)).toEqual([100, 100])
    expect(unknowing.map(({ errors }) => errors)).toEqual([{ STORE_UNAVAILABLE: 100 }, { STORE_UNAVAILABLE: 100 }])
    expect(fleet.requests).toBe(2)

    const refused = await fleet.pushTicket(first)
    expect(refused.status).toBe(503)
    await server.restart()
    if (stage().forgets) fleet.mark('data-loss')
    fleet.mark('healed')
    const back = machineNow()
    await fleet.startLoad(1, 20)
    await fleet.when('all serve the same version', () => {
      const versions = lastVersions(fleet)
      return versions.size === 4 && new Set(versions.values()).size === 1
    })
    const recovery = machineNow() - back
    await fleet.endLoad()
    fleet.platform.setEventUrl(fleet.app.appId, first.eventUrl)
    expect((await fleet.platform.redeliver(refused.delivery)).status).toBe(200)

    // Those who did not know the ticket may be the first to be granted the lease: it is still in the store, or they have it pushed again.
    expect(fleet.requests).toBeLessThanOrEqual(3)
    expect(publications(fleet.history).filter(({ outcome }) => outcome === 'accepted')).toHaveLength(1)
    figure(stage().name, 'store gone, nothing at hand', { requests: fleet.requests, 'all agree after, ms': recovery })
    await ends(fleet)
  }, 60_000)
}
