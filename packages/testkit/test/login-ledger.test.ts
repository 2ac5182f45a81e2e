import { expect, test } from 'vitest'
import { LoginLedger } from '../src/feishu/login-ledger.ts'

test('the family of a refresh token that is used twice ends with it', () => {
  const ledger = new LoginLedger(() => 0)
  const code = ledger.code('user')
  const refresh = String(ledger.exchange(code).refresh_token)
  const { access_token, refresh_token } = ledger.refresh(refresh)
  expect(ledger.worth(String(access_token))).toBe('valid')
  expect(ledger.refresh(refresh)).toMatchObject({ code: 20_073 })
  expect(ledger.refresh(String(refresh_token))).toMatchObject({ code: 20_064 })
  expect(ledger.worth(String(access_token))).toBe('revoked')
  expect(ledger.exchange(code)).toMatchObject({ code: 20_003 })
})
