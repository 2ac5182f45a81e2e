import { randomBytes } from 'node:crypto'
import type { EncryptionOptions } from '@tokenwell/core'
import { describe, expect, test } from 'vitest'
import { search } from '../../../leak-search/search.ts'
import type { Fleet } from '../../index.ts'
import { ends, fleetOn, pushTicket, staged } from './acts.ts'
import { failuresOf } from './chain.ts'
import { sum } from './history.ts'
import type { Stage, StageFleetOptions } from './stage.ts'

/** Registers what holds of the secrets that a store keeps. */
export function describeAtRest(start: () => Stage | Promise<Stage>): void {
  describe('a fleet that seals what it stores', () => {
    const stage = staged(start)

    test('no token, ticket or refresh token is in the store after a whole run; without encryption each of the newest is', async (context) => {
      const clear = await wholeRun(await fleetOn(stage(), context, { nodes: 4 }))
      const bare = await found(stage(), clear)
      expect([...bare].filter((name) => name.startsWith('refresh token 2'))).toHaveLength(3)
      expect(bare.size).toBeGreaterThanOrEqual(4)

      const seal: StageFleetOptions['encryption'] = { keys: { first: newKey() }, sealWith: 'first' }
      const sealed = await wholeRun(await fleetOn(stage(), context, { nodes: 4, encryption: seal }))
      expect(sealed.size).toBeGreaterThan(10)
      expect([...(await found(stage(), sealed))]).toEqual([])
    }, 300_000)

    test('encryption is switched on, and its key changed, in two rolls each: no error, no request that was not due', async (context) => {
      const fleet = await fleetOn(stage(), context, { nodes: 4 })
      await pushTicket(fleet)
      await fleet.burst(10)
      const [first, second] = [newKey(), newKey()]
      const steps: readonly EncryptionOptions[] = [
        { keys: { first } },
        { keys: { first }, sealWith: 'first', allowClear: true },
        { keys: { first, second }, sealWith: 'first' },
        { keys: { first, second }, sealWith: 'second' },
      ]
      for (const [index, step] of steps.entries()) {
        for (const old of fleet.nodes) {
          await fleet.startLoad()
          const started = await fleet.add(step)
          const [report] = await fleet.burst(10, [started])
          expect(report?.errors).toEqual({})
          const reports = await fleet.endLoad()
          expect(reports.map(({ errors }) => errors)).toEqual(reports.map(() => ({})))
          expect(sum(reports.map(({ blocked }) => blocked))).toBe(0)
          expect(await old.close()).toBe(0)
        }
        expect(fleet.requests).toBe(index + 1)
        // The hour's ticket and the next token are stored as the step says.
        await pushTicket(fleet)
        await fleet.passToRenewal()
        await fleet.burst(10)
        await fleet.when('the token is renewed', () => fleet.requests === index + 2)
      }
      await fleet.burst(10)
      expect(fleet.platform.counters().errors).toEqual({})
      expect(fleet.history.filter(({ kind }) => kind === 'failed')).toEqual([])
      await ends(fleet)
    }, 300_000)
  })
}

function newKey(): string {
  return randomBytes(32).toString('base64')
}

/** Tickets, rotations, tenants and users: everything that a store is ever given. Returns every secret there was, with a name for it. */
async function wholeRun(fleet: Fleet): Promise<Map<string, string>> {
  const secrets = new Map<string, string>([[fleet.app.appSecret, 'app secret']])
  const users = ['user-1', 'user-2', 'user-3']
  const of = [
    ...Array.from({ length: 20 }, (_, index) => ({ kind: 'tenant', id: `tenant-${index}` }) as const),
    ...users.map((id) => ({ kind: 'user', id }) as const),
  ]
  for (let round = 0; round < 3; round++) {
    const node = fleet.nodes[round % fleet.nodes.length]
    if (node === undefined) throw new Error('a fleet of nobody')
    const { status, delivery } = await fleet.pushTicket(node)
    expect(status).toBe(200)
    if (delivery.ticket === undefined) throw new Error('an event without a ticket')
    secrets.set(delivery.ticket, `ticket ${round}`)
    if (round === 0) {
      for (const user of users) await node.order('authorize', { user, code: fleet.platform.issueCode(fleet.app.appId, user) })
    }
    for (const { served } of await fleet.burst(10)) for (const value of Object.keys(served)) secrets.set(value, `app token ${round}`)
    const reports = await fleet.tokens(of)
    expect(failuresOf(reports)).toEqual([])
    for (const { results } of reports) {
      for (const [index, result] of results.entries()) {
        if ('value' in result) secrets.set(result.value, `${of[index]?.kind} token ${of[index]?.id} ${round}`)
      }
    }
    if (round < 2) await fleet.passToEnd()
  }
  for (const { userId, refreshTokens } of fleet.platform.logins(fleet.app.appId)) {
    expect(refreshTokens).toHaveLength(3)
    for (const [index, { value }] of refreshTokens.entries()) secrets.set(value, `refresh token ${index} of ${userId}`)
  }
  await ends(fleet)
  return secrets
}

/** Names of the secrets that whoever has the store can read in it, whatever they are encoded in. */
async function found(stage: Stage, secrets: ReadonlyMap<string, string>): Promise<Set<string>> {
  const text = (await stage.dump()).toString('latin1')
  const finds = search(
    [{ source: stage.name, test: 'dump', text }],
    Array.from(secrets, ([value, label]) => ({ value, label })),
  )
  return new Set(finds.map(({ label }) => label))
}
