import { setTimeout as passed } from 'node:timers/promises'
import { afterAll, beforeAll, expect, type TestContext } from 'vitest'
import { record } from '../../../leak-search/index.ts'
import { type Fleet, type FleetNode, violations } from '../../index.ts'
import { nodesWith, publications, told } from './history.ts'
import type { Stage, StageFleetOptions } from './stage.ts'

/** Length of the lease of an app token, and what is promised after it. */
export const TAKEOVER_MS = 8_000 + 1_000

/** Two cores for eight processes, the store and whatever else is tested meanwhile: no fault of the store. */
const UNHURRIED_MS = 5_000

/** Core's own patience with a store, for tests in which the store fails. */
export const STORE_TIMEOUT_MS = 1_000

/**
 * A fleet that is gone when the test is over, however that ends; where it fails, what the processes did is told. `storeTimeoutMs`: by default one
 * that no machine is too slow for.
 */
export async function fleetOn(stage: Stage, { onTestFailed, onTestFinished }: TestContext, options: StageFleetOptions): Promise<Fleet> {
  const fleet = await stage.fleet({ storeTimeoutMs: UNHURRIED_MS, ...options })
  onTestFailed(() => console.error(told(fleet.history)))
  onTestFinished(() => fleet.kill())
  return fleet
}

/** A stage for the tests of this `describe`. */
export function staged<Each extends Stage>(start: () => Each | Promise<Each>): () => Each {
  let stage: Each | undefined
  beforeAll(async () => {
    stage = await start()
  }, 60_000)
  afterAll(() => stage?.close())
  return () => {
    if (stage === undefined) throw new Error('a stage is there in tests only')
    return stage
  }
}

/** Every process serves this version. Where nobody waits and nothing wakes them, processes look again when the lease has ended. */
export async function adopted(fleet: Fleet, version: number, push: boolean): Promise<void> {
  await fleet.when('the token is published', (history) =>
    publications(history).some((entry) => entry.outcome === 'accepted' && (entry.version ?? 0) >= version),
  )
  if (!push) await fleet.pass(TAKEOVER_MS)
  await fleet.served(version)
}

/** Freezes the holder until another process has published, then lets it go on. */
export async function frozenPastLease(fleet: Fleet, holder: FleetNode, point: 'requesting' | 'publishing'): Promise<void> {
  fleet.mark('fault')
  holder.stop()
  await fleet.when('another process has published', (history) => publications(history).some(({ node }) => node !== holder.name))
  const released = holder.order('release', point)
  holder.resume()
  fleet.mark('healed')
  await released
}

/** How long after each publication each other process had served its last waiter, milliseconds, in order of length. */
export async function wakeUps(fleet: Fleet, rounds: number, upstreamMs = 0): Promise<number[]> {
  const delays: number[] = []
  for (let round = 0; round < rounds; round++) {
    await fleet.passToEnd()
    const upstream = await slowUpstream(fleet)
    const nodes = fleet.nodes
    const from = fleet.history.length
    const bursting = fleet.burst(50)
    await upstream.asked
    await fleet.when('all others are held', () => nodesWith(fleet.history.slice(from), 'held').size >= nodes.length - 1)
    await passed(upstreamMs)
    upstream.answer()
    const reports = await bursting
    const accepted = () => publications(fleet.history.slice(from)).find(({ outcome }) => outcome === 'accepted')
    await fleet.when('the token was published', () => accepted() !== undefined)
    const published = accepted()
    if (published === undefined) throw new Error('unreachable')
    for (const [index, node] of nodes.entries()) {
      if (node.name !== published.node) delays.push((reports[index]?.lastAt ?? Number.NaN) - published.sentAt)
    }
  }
  return delays.sort((one, other) => one - other)
}

/** Closes the fleet, and looks for what must not be in what it did. */
export async function ends(fleet: Fleet, expectation: Parameters<typeof violations>[1] = {}): Promise<void> {
  expect((await fleet.close()).filter((code) => code !== 0)).toEqual([])
  expect(fleet.output).toBe('')
  record('what the fleet did', fleet.history)
  expect(violations(fleet.history, expectation)).toEqual([])
}

/** The platform answers when it is told to. */
export async function slowUpstream(fleet: Fleet) {
  const fault = fleet.platform.fault('app_access_token', { kind: 'hang' })
  return { asked: fleet.platform.next('held'), answer: () => fault.release() }
}

export async function pushTicket(fleet: Fleet): Promise<void> {
  const [first] = fleet.nodes
  if (first === undefined) throw new Error('a fleet of nobody')
  expect((await fleet.pushTicket(first)).status).toBe(200)
}
