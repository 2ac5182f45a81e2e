import { createTokenManager } from '@tokenwell/core'
import { memoryStore } from '@tokenwell/store-memory'
import { virtualClock } from '@tokenwell/testkit'
import { expect, test } from 'vitest'

const MINUTE_MS = 60_000

// Fake timers like to begin at 0, and nothing forbids less.
test.each([0, -5 * MINUTE_MS])('with a wall clock at %i a token that was asked for is renewed in the background', async (wallMs) => {
  const clock = virtualClock({ wallMs })
  const manager = createTokenManager({ store: memoryStore({ clock }), clock })
  let fetches = 0
  const fetch = async () => ({ value: `token ${++fetches}`, expiresInMs: 120 * MINUTE_MS })
  const handle = manager.token({ key: 'k', fetch })
  await handle.get()
  await clock.advance(MINUTE_MS / 2)
  expect(handle.peek()?.value).toBe('token 1')
  await clock.advance(115 * MINUTE_MS)
  expect(handle.peek()?.value).toBe('token 2')
  await manager.close()
  expect(clock.pending).toBe(0)
})
