import { statSync } from 'node:fs'
import { join } from 'node:path'
import { createTokenManager } from '@tokenwell/core'
import { sqliteStore } from '@tokenwell/store-sqlite'
import { expect, onTestFinished, test } from 'vitest'
import { folder } from './support/files.ts'
import { patient, publication } from './support/operations.ts'
import { rows } from './support/records.ts'

test('managers on one file share one fetch, and those that wait are served soon after', async () => {
  const path = join(folder(), 'records.db')
  let fetches = 0
  let released = 0
  const upstream = Promise.withResolvers<void>()
  const started = Promise.withResolvers<void>()
  const fetch = async () => {
    fetches++
    started.resolve()
    await upstream.promise
    released = performance.now()
    return { value: 'a token', expiresInMs: 7_200_000 }
  }
  const handles = Array.from({ length: 4 }, () => {
    const store = sqliteStore({ path })
    const manager = createTokenManager({ store })
    onTestFinished(async () => {
      await manager.close()
      await store.close()
    })
    return manager.token({ key: 'app', fetch })
  })
  const waits = Promise.all(
    handles.map(async (handle) => {
      const token = await handle.get()
      return { version: token.version, ms: performance.now() - released }
    }),
  )
  await started.promise
  // By now the others have read more than once, and wait the longest they ever do.
  setTimeout(() => upstream.resolve(), 1_500)
  const served = await waits
  expect(fetches).toBe(1)
  expect(new Set(served.map(({ version }) => version)).size).toBe(1)
  // 600 ms by design; the rest is for a machine that has other things to do.
  for (const { ms } of served) expect(ms).toBeLessThan(1_500)
})

test('in the long run neither the file nor its log grows', async () => {
  const path = join(folder(), 'records.db')
  const store = sqliteStore({ path, synchronous: 'normal' })
  onTestFinished(() => store.close())
  const value = 't'.repeat(1_000)
  for (let write = 1; write <= 5_000; write++)
    await store.publish(`key ${write % 10}`, `attempt ${write}`, write, { ...publication, value }, patient)
  expect(rows(path)).toHaveLength(10)
  expect(statSync(path).size).toBeLessThan(100_000)
  expect(statSync(`${path}-wal`).size).toBeLessThan(5_000_000)
})
