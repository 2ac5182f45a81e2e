// Fake tokens in a project without a test runner. Compiled and run twice, as ESM and as CommonJS.
import assert from 'node:assert/strict'
import type { FeishuTokens } from '@tokenwell/core/feishu'
import { fakeFeishuTokens } from '@tokenwell/testkit/feishu'

async function main(): Promise<void> {
  const fake = fakeFeishuTokens()
  const tokens: FeishuTokens = fake
  assert.equal(await tokens.tenantAccessToken('acme'), 't-acme-1')
  fake.platform.revoke('t-acme-1')
  const call = async ({ value }: { readonly value: string }) => ({ code: fake.platform.judge(value) === 'valid' ? 0 : 99991663, value })
  assert.deepEqual(await tokens.tenant('acme').use(call), { code: 0, value: 't-acme-2' })
  await fake.clock.advance(7_200_000)
  assert.equal(await tokens.tenantAccessToken('acme'), 't-acme-3')
  await tokens.close()
}

main().catch((error: unknown) => {
  console.error(error)
  process.exitCode = 1
})
