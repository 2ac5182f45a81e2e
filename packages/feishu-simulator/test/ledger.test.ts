import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { auditMint } from '../src/audit.ts'
import { APP_CREDENTIAL, AppLedger } from '../src/ledger.ts'
import { HOUR, MINUTE } from './support/client.ts'

const step = fc.oneof(
  fc.record({
    act: fc.constant('wait' as const),
    ms: fc.oneof(fc.integer({ min: 0, max: 3 * HOUR }), fc.constantFrom(30 * MINUTE, 90 * MINUTE)),
  }),
  fc.record({
    act: fc.constant('mint' as const),
    credential: fc.constantFrom(
      APP_CREDENTIAL,
      { kind: 'tenant' as const, tenantKey: 'tenant-1' },
      { kind: 'jsapi' as const, tenantKey: 'tenant-1' },
    ),
  }),
  fc.record({ act: fc.constant('revoke' as const), next: fc.constantFrom('new' as const, 'same' as const) }),
)

describe('the ledger', () => {
  it('passes its audit after any order of mints, revocations and waits, for any life', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1000, max: 4 * HOUR }), fc.array(step, { maxLength: 40 }), (tokenLifeMs, steps) => {
        let nowMs = 0
        const ledger = new AppLedger({ now: () => nowMs, tokenLifeMs, ticketLifeMs: 1, ticketsKept: 1, tokenForm: 'short' })
        for (const taken of steps) {
          if (taken.act === 'wait') nowMs += taken.ms
          if (taken.act === 'revoke') ledger.revoke(taken.next, APP_CREDENTIAL)
          if (taken.act === 'mint') {
            const { token, expire, isNew } = ledger.mint(taken.credential)
            auditMint({ token: token.value, expire, isNew, tokenLifeMs, nowMs, history: ledger.history(taken.credential) })
            if (isNew) expect(ledger.judge(token.value)).toBe('valid')
          }
        }
      }),
      { numRuns: 300 },
    )
  })
})
