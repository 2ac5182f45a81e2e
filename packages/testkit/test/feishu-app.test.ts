import { memoryStore } from '@tokenwell/store-memory'
import { type SimulationReport, simulate } from '@tokenwell/testkit'
import { feishuApp } from '@tokenwell/testkit/feishu'
import { expect, test } from 'vitest'

function play(seed: number, troubles: number, hours = 6): Promise<SimulationReport> {
  return simulate({ seed, troubles, hours, scenario: feishuApp(), store: (clock) => memoryStore({ clock }) })
}

test('with nothing wrong each credential is asked for once in each life, by any of the processes, and tickets are taken in hourly', async () => {
  const { violations, counts } = await play(1, 0)
  expect(violations).toEqual([])
  // Six hours of two-hour tokens, the app's and two tenants', and of a user's, who is renewed every twenty minutes or so.
  expect(counts.get('requests')).toBeGreaterThanOrEqual(3 * 3 + 12)
  expect(counts.get('requests')).toBeLessThanOrEqual(3 * 4 + 24)
  // One that is asked for at the beginning, and one an hour, to the end of what is served last.
  expect(counts.get('event ticket-accepted')).toBeGreaterThanOrEqual(1 + 7)
  expect(counts.get('event ticket-accepted')).toBeLessThanOrEqual(1 + 8)
  expect(counts.get('served revoked')).toBeUndefined()
})

test('one seed is one history', async () => {
  const [one, again] = [await play(3, 30), await play(3, 30)]
  expect(one.history.length).toBeGreaterThan(100)
  expect(again.history).toEqual(one.history)
})

test('whatever goes wrong with tickets, tenants, users and the platform, nothing is that must not be', async () => {
  const wrong: string[] = []
  const counts = new Map<string, number>()
  for (let seed = 1; seed <= 20; seed += 1) {
    const report = await play(seed, 40)
    for (const violation of report.violations) wrong.push(`seed ${seed}: ${violation}`)
    for (const [what, count] of report.counts) counts.set(what, (counts.get(what) ?? 0) + count)
  }
  expect(wrong).toEqual([])
  // In every one of these worlds there is something to go wrong.
  expect(feishuApp().faults.filter((fault) => counts.has(`fault upstream ${fault}`)).length).toBeGreaterThan(10)
}, 300_000)

test('a user is forgotten, and authorises again', async () => {
  const plan = [{ at: 30 * 60_000, forMs: 1, on: 'upstream', kind: 'forgotten' }] as const
  const { history, violations, counts } = await simulate({
    seed: 1,
    hours: 2,
    plan,
    scenario: feishuApp(),
    store: (clock) => memoryStore({ clock }),
  })
  expect(violations).toEqual([])
  expect(counts.get('fault upstream forgotten')).toBe(1)
  const forgottenAt = history.findIndex((line) => line.endsWith('user 0 is forgotten'))
  expect(forgottenAt).toBeGreaterThan(0)
  expect(history.slice(forgottenAt).some((line) => line.endsWith('user 0 authorises'))).toBe(true)
  expect(feishuApp({ users: 0 }).faults).not.toContain('forgotten')
})

test('an authorisation is not taken for done because another process has renewed the login from before under a clock that was set back', async () => {
  const at = 7_767_719
  const misled = [0, 1, 2].map((node) => ({ at: at - 1_000, forMs: 10_000, on: 'process', kind: 'misled', node, byMs: 0 }) as const)
  const plan = [
    { at: at - 2_000, forMs: 30_000, on: 'upstream', kind: 'slow' },
    ...misled,
    { at: at + 200, forMs: 600_000, on: 'store', kind: 'clock-back', byMs: 600_000 },
  ] as const
  const scenario = feishuApp({ tenants: 0 })
  const { violations } = await simulate({ seed: 59, nodes: 3, hours: 3, plan, scenario, store: (clock) => memoryStore({ clock }) })
  expect(violations).toEqual([])
})
