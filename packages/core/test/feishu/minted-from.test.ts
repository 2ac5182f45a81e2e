import { getEventListeners } from 'node:events'
import { createTokenManager, TokenError } from '@tokenwell/core'
import { memoryStore } from '@tokenwell/store-memory'
import { virtualClock } from '@tokenwell/testkit'
import { expect, onTestFinished, test } from 'vitest'
import { errorOf } from '../../../../tools/leak-search/index.ts'
import { MissingDependency } from '../../src/failure.ts'
import { MintedFrom } from '../../src/feishu/minted-from.ts'
import { MINUTE, pass, quiet } from '../support/world.ts'

/** A source that is fetched anew whenever it is rejected, and something that is minted from it. */
async function chain() {
  const clock = virtualClock()
  const manager = createTokenManager({ store: memoryStore({ clock }), clock })
  onTestFinished(() => manager.close())
  let fetches = 0
  const source = manager.token({
    key: 'source',
    fetch: async () => {
      fetches += 1
      return { value: `source ${fetches}`, expiresInMs: 120 * MINUTE }
    },
  })
  const link = new MintedFrom(source, 'source', clock)
  const used: string[] = []
  const mint = (isRefused: boolean) =>
    link.mint(
      () => {},
      async ({ value }) => {
        used.push(value)
        if (isRefused) throw new TokenError('TOKEN_REJECTED', 'refused', { retryable: true })
        return 'minted'
      },
    )
  await source.get()
  return { clock, source, link, used, mint, fetches: () => fetches }
}

test('a refused source is rejected and has to be waited for', async () => {
  const { source, link, mint, used } = await chain()
  expect(await errorOf(mint(true))).toBeInstanceOf(MissingDependency)
  expect(link.missing()).toBeInstanceOf(MissingDependency)
  await link.missing()?.wait(new AbortController().signal)
  expect(link.missing()).toBeUndefined()
  expect(await mint(false)).toBe('minted')
  expect(used).toEqual(['source 1', 'source 2'])
  expect(source.peek()?.value).toBe('source 2')
})

test('its successor, refused as well, is a failure and not another rejection', async () => {
  const { clock, source, mint, fetches } = await chain()
  await errorOf(mint(true))
  await source.get()
  expect(await errorOf(mint(true))).toMatchObject({ code: 'TOKEN_REJECTED' })
  expect(source.peek()?.value).toBe('source 2')
  expect(fetches()).toBe(2)
  // The next try begins anew.
  await clock.advance(10_000)
  expect(await errorOf(mint(true))).toBeInstanceOf(MissingDependency)
})

test('its successor, refused within the ten seconds in which nobody can reject it, is rejected by the first try after them', async () => {
  const { clock, source, mint, used } = await chain()
  await errorOf(mint(true))
  await source.get()
  expect(await mint(false)).toBe('minted')
  for (let passedMs = 0; passedMs < 10_000; passedMs += 2_000) {
    expect(await errorOf(mint(true))).toMatchObject({ code: 'TOKEN_REJECTED' })
    await clock.advance(2_000)
  }
  expect(await errorOf(mint(true))).toBeInstanceOf(MissingDependency)
  await source.get()
  expect(await mint(false)).toBe('minted')
  expect(used.at(-1)).toBe('source 3')
})

test('a refusal of long ago, of which nothing came here because another process minted, does not count', async () => {
  const { clock, source, mint, used } = await chain()
  await errorOf(mint(true))
  await source.get()
  await clock.advance(90 * MINUTE)
  await quiet()
  expect(await errorOf(mint(true))).toBeInstanceOf(MissingDependency)
  await source.get()
  expect(await mint(false)).toBe('minted')
  expect(used).toHaveLength(3)
})

test('any other failure leaves the source alone', async () => {
  const { source, link } = await chain()
  const failing = link.mint(
    () => {},
    async () => Promise.reject(new TokenError('RATE_LIMITED', 'slow down', { retryable: true })),
  )
  expect(await errorOf(failing)).toMatchObject({ code: 'RATE_LIMITED' })
  expect(source.peek()?.value).toBe('source 1')
})

test('waiting for a source that keeps failing leaves nothing behind on the signal', async () => {
  const clock = virtualClock()
  const manager = createTokenManager({ store: memoryStore({ clock }), clock })
  onTestFinished(() => manager.close())
  const source = manager.token({
    key: 'source',
    fetch: async () => Promise.reject(new TokenError('UPSTREAM_UNAVAILABLE', 'down', { retryable: true })),
  })
  const link = new MintedFrom(source, 'source', clock)
  const { signal } = new AbortController()
  await Promise.all([link.missing()?.wait(signal), pass(clock, MINUTE)])
  // This one has nothing new to say; it ends with the manager.
  link
    .missing()
    ?.wait(signal)
    .catch(() => {})
  await pass(clock, 5 * MINUTE)
  expect(getEventListeners(signal, 'abort').length).toBeLessThan(10)
})
