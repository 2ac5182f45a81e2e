import { describe, expect, test } from 'vitest'
import type { CredentialName, TokensReport } from '../../index.ts'
import { ends, fleetOn, pushTicket, staged } from './acts.ts'
import { figure } from './figures.ts'
import type { Stage } from './stage.ts'

/** Everybody at once on two cores: longer than core's own bound. */
const PATIENCE_MS = 150_000

/** Registers what holds of credentials that are minted from one another, and of many of them. */
export function describeChain(start: () => Stage | Promise<Stage>): void {
  describe('a fleet of many tenants', () => {
    const stage = staged(start)

    test('1,000 tenants in 8 processes, cold, are 1,000 requests for them and one for the app', async (context) => {
      const fleet = await fleetOn(stage(), context, { nodes: 8 })
      await pushTicket(fleet)
      const tenants = tenantNames(1_000)
      const reports = await fleet.tokens(tenants, fleet.nodes, PATIENCE_MS)

      expect(failuresOf(reports)).toEqual([])
      const values = valuesByCredential(tenants, reports)
      expect(values.map((each) => each.size)).toEqual(tenants.map(() => 1))
      expect(new Set(values.flatMap((each) => [...each])).size).toBe(1_000)
      const { requests, errors } = fleet.platform.counters()
      expect({ app: requests.app_access_token, tenant: requests.tenant_access_token, errors }).toEqual({
        app: 1,
        tenant: 1_000,
        errors: {},
      })
      figure(stage().name, '1,000 tenants × 8 processes, cold', {
        'requests for tenants': requests.tenant_access_token,
        'requests for the app': requests.app_access_token,
        'longest get, ms': Math.max(...reports.map(({ longestMs }) => longestMs)),
      })
      await ends(fleet)
    }, 300_000)

    test('an app token that is revoked while 500 tenants renew is fetched once, and every tenant succeeds', async (context) => {
      const fleet = await fleetOn(stage(), context, { nodes: 8 })
      await pushTicket(fleet)
      const tenants = tenantNames(500)
      expect(failuresOf(await fleet.tokens(tenants, fleet.nodes, PATIENCE_MS))).toEqual([])
      await fleet.passToEnd()
      // A new app token, in every process; then the platform revokes it, and nobody knows.
      await fleet.burst(1)
      const before = fleet.platform.counters().requests
      fleet.platform.revoke(fleet.app.appId, { next: 'new' })
      const reports = await fleet.tokens(tenants, fleet.nodes, PATIENCE_MS)

      expect(failuresOf(reports)).toEqual([])
      const values = valuesByCredential(tenants, reports)
      expect(values.map((each) => each.size)).toEqual(tenants.map(() => 1))
      expect(values.flatMap((each) => [...each].map((value) => fleet.platform.judge(value)))).toEqual(tenants.map(() => 'valid'))
      const { requests, newTokens } = fleet.platform.counters()
      expect(requests.app_access_token - before.app_access_token).toBe(1)
      expect(newTokens.tenant).toBe(1_000)
      figure(stage().name, 'app token revoked while 500 tenants renew', {
        'requests for the app': requests.app_access_token - before.app_access_token,
        'requests for tenants': requests.tenant_access_token - before.tenant_access_token,
        'longest get, ms': Math.max(...reports.map(({ longestMs }) => longestMs)),
      })
      await ends(fleet)
    }, 300_000)
  })
}

function tenantNames(count: number): CredentialName[] {
  return Array.from({ length: count }, (_, index) => ({ kind: 'tenant', id: `tenant-${index}` }) as const)
}

/** What went wrong, each thing once. */
export function failuresOf(reports: readonly TokensReport[]): string[] {
  return [
    ...new Set(
      reports.flatMap(({ results }) => results.flatMap((result) => ('code' in result ? [`${result.code}: ${result.message}`] : []))),
    ),
  ]
}

/** All values that were given out for each of the credentials. */
function valuesByCredential(of: readonly CredentialName[], reports: readonly TokensReport[]): Set<string>[] {
  return of.map(
    (_, index) =>
      new Set(
        reports.flatMap(({ results }) => {
          const result = results[index]
          return result !== undefined && 'value' in result ? [result.value] : []
        }),
      ),
  )
}
