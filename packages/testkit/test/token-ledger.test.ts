import { beforeEach, expect, test } from 'vitest'
import { TokenLedger } from '../src/simulation/token-ledger.ts'
import { Audited } from './support/audited.ts'

let world: Audited

beforeEach(() => {
  world = new Audited()
})

test('the ledger of an upstream knows when it gave out a token first, and last', async () => {
  const ledger = new TokenLedger(() => world.timeline.now, { name: 'key', lifeMs: 3_600_000, sameAboveMs: 60_000 })
  await world.pass(100)
  const { value } = ledger.mint(false)
  await world.pass(100)
  expect(ledger.mint(false).value).toBe(value)
  expect(ledger.givenOut(value)).toEqual({ endsAt: 3_600_100, firstAt: 100, at: 200, times: 2 })
})

test('the ledger of an upstream tells whether what is revoked was taken until then', async () => {
  const ledger = new TokenLedger(() => world.timeline.now, { name: 'key', lifeMs: 60_000, sameAboveMs: 60_000 })
  expect(ledger.revoke()).toBe(false)
  ledger.mint(false)
  expect([ledger.revoke(), ledger.revoke()]).toEqual([true, false])
  ledger.mint(false)
  await world.pass(60_000)
  expect(ledger.revoke()).toBe(false)
})

test('the ledger of an upstream finds out who shares what was rejected before they could fetch it', async () => {
  const ledger = new TokenLedger(() => world.timeline.now, { name: 'key', lifeMs: 3_600_000, sameAboveMs: 60_000 })
  const { published, rejected, lost } = ledger.watcher('key', world.violate)
  const { value } = ledger.mint(false)
  const share = (grantedAt: number, quietMs?: number) =>
    published?.('key', { value, renewInMs: 1, expiresInMs: 2, ...(quietMs !== undefined && { quietMs }) }, grantedAt)
  await world.pass(100)
  rejected?.('key', value)
  share(50)
  share(150, 60_000)
  published?.('another', { value, renewInMs: 1, expiresInMs: 2 }, 150)
  expect(world.violations).toEqual([])
  share(150)
  expect(world.violations).toEqual(['key was published although it was rejected'])
  lost?.('another')
  share(150)
  expect(world.violations).toHaveLength(2)
  lost?.('key')
  share(150)
  expect(world.violations).toHaveLength(2)
  lost?.()
  share(150)
  rejected?.('key', value)
  await world.pass(100)
  ledger.mint(false)
  share(250)
  expect(world.violations).toHaveLength(2)
})
