import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { auditGrant } from '../src/audit.ts'
import { UserLedger } from '../src/user-ledger.ts'
import { HOUR, MINUTE } from './support/client.ts'

const DAY = 24 * HOUR

const step = fc.oneof(
  fc.record({
    act: fc.constant('wait' as const),
    ms: fc.oneof(fc.integer({ min: 0, max: 8 * DAY }), fc.constantFrom(0, 5 * MINUTE, 7 * DAY)),
  }),
  fc.record({ act: fc.constant('authorize' as const), userId: fc.constantFrom('user-1', 'user-2') }),
  fc.record({ act: fc.constant('refresh' as const), which: fc.nat() }),
  fc.record({ act: fc.constant('revoke' as const), what: fc.constantFrom('access-token' as const, 'login' as const) }),
)

describe('the ledger of users', () => {
  it('passes its audit after any order of logins, refreshes, revocations and waits, and spends each refresh token once', () => {
    fc.assert(
      fc.property(fc.constantFrom('revoke-login' as const, 'refuse' as const), fc.array(step, { maxLength: 60 }), (refreshReuse, steps) => {
        let nowMs = 0
        const options = { accessTokenLifeMs: 2 * HOUR, refreshTokenLifeMs: 7 * DAY, codeLifeMs: 5 * MINUTE }
        const ledger = new UserLedger({ ...options, now: () => nowMs, tokenForm: 'short', refreshReuse, oldUserToken: 'valid' })
        const issued: string[] = []
        const spent = new Set<string>()
        for (const taken of steps) {
          if (taken.act === 'wait') nowMs += taken.ms
          if (taken.act === 'revoke') ledger.revoke('user-1', taken.what)
          const token = taken.act === 'refresh' ? issued[taken.which % issued.length] : undefined
          if (taken.act !== 'authorize' && token === undefined) continue
          const outcome = token === undefined ? ledger.redeem(ledger.issueCode('user-1'), undefined) : ledger.refresh(token)
          if (typeof outcome === 'number') continue
          auditGrant(outcome, options)
          if (token !== undefined) {
            expect(spent.has(token)).toBe(false)
            spent.add(token)
          }
          issued.push(outcome.refreshToken?.value ?? '')
          expect([outcome.accessToken, outcome.refreshToken].map((each) => ledger.judge(each?.value ?? ''))).toEqual(['valid', 'valid'])
        }
        const alive = ledger.logins().filter(({ isAlive }) => isAlive)
        for (const { refreshToken = '' } of alive) expect(typeof ledger.refresh(refreshToken)).toBe('object')
      }),
      { numRuns: 300 },
    )
  })
})
