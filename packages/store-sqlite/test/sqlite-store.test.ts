import { once } from 'node:events'
import { existsSync, readdirSync, renameSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { join, relative } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { TokenStore } from '@tokenwell/core'
import { sqliteStore } from '@tokenwell/store-sqlite'
import { expect, onTestFinished, test } from 'vitest'
import { randomSecret, record } from '../../../tools/leak-search/index.ts'
import { folder } from './support/files.ts'
import { claim, patient, publication } from './support/operations.ts'
import { execArgv } from './support/process.ts'
import { inFile, integrity, rows } from './support/records.ts'

const DAY_MS = 86_400_000

function open(path = join(folder(), 'records.db'), synchronous: 'full' | 'normal' = 'full'): TokenStore {
  const store = sqliteStore({ path, synchronous })
  onTestFinished(() => store.close())
  return store
}

test('wrong options are named', () => {
  const given = (options: unknown) => () => sqliteStore(options as Parameters<typeof sqliteStore>[0])
  expect(given({})).toThrow('path: expected the path of a file, not a URL, got undefined')
  expect(given({ path: '' })).toThrow(TypeError)
  expect(given({ path: 'file:///records.db' })).toThrow('path: expected the path of a file, not a URL, got "file:///records.db"')
  expect(given({ path: 'a\0b' })).toThrow(TypeError)
  expect(given({ path: ':memory:' })).toThrow('path: expected the path of a file, got ":memory:"; memoryStore() of @tokenwell/store-memory')
  expect(given({ path: 'a', synchronous: 'off' })).toThrow("synchronous: expected 'full' or 'normal', got \"off\"")
  expect(given({ path: 'a', synchronous: true })).toThrow(TypeError)
})

test('nothing is opened before the first operation', async () => {
  const path = join(folder(), 'records.db')
  const store = open(path)
  expect(existsSync(path)).toBe(false)
  await store.read(['key'], patient)
  expect(existsSync(path)).toBe(true)
})

test('the file and the log beside it can be read by their owner alone', async () => {
  const path = join(folder(), 'records.db')
  const store = open(path)
  await store.publish('key', 'a', 5, publication, patient)
  const modes = readdirSync(join(path, '..')).map((name) => [name, statSync(join(path, '..', name)).mode & 0o777])
  expect(modes.toSorted()).toEqual([
    ['records.db', 0o600],
    ['records.db-shm', 0o600],
    ['records.db-wal', 0o600],
  ])
})

test('a file that is made at the end of a link can be read by its owner alone', async () => {
  const path = join(folder(), 'records.db')
  symlinkSync('middle.db', path)
  symlinkSync('end.db', join(path, '../middle.db'))
  await open(path).publish('key', 'a', 5, publication, patient)
  expect(statSync(join(path, '../end.db')).mode & 0o777).toBe(0o600)
  expect(rows(path)).toHaveLength(1)
})

test('a relative path counts from where the process was when the store was made', async () => {
  const path = join(folder(), 'records.db')
  const before = process.cwd()
  const store = open(relative(before, path))
  process.chdir(folder())
  onTestFinished(() => process.chdir(before))
  await store.publish('key', 'a', 5, publication, patient)
  expect(rows(path)).toHaveLength(1)
})

test('two stores of one process on one path see the same records', async () => {
  const path = join(folder(), 'records.db')
  const [one, two] = [open(path), open(path, 'normal')]
  expect((await one.claim('key', 'a', claim, patient)).kind).toBe('granted')
  expect((await two.claim('key', 'b', claim, patient)).kind).toBe('held')
  await one.close()
  expect((await two.claim('key', 'c', claim, patient)).kind).toBe('held')
})

test('threads of one process share the file', async () => {
  const path = join(folder(), 'records.db')
  const file = new URL('./support/worker.ts', import.meta.url)
  const workers = Array.from({ length: 4 }, () => new Worker(file, { workerData: path, execArgv }))
  const granted = (await Promise.all(workers.map((worker) => once(worker, 'message')))).flat(2)
  expect(granted).toHaveLength(50)
  expect(new Set(granted).size).toBe(50)
})

test('a closed store says so, and its log is gone', async () => {
  const path = join(folder(), 'records.db')
  const store = open(path)
  await store.publish('key', 'a', 5, publication, patient)
  await store.close()
  await store.close()
  await expect(store.read(['key'], patient)).rejects.toThrow('the store has been closed')
  await expect(store.claim('key', 'a', claim, patient)).rejects.toThrow('the store has been closed')
  expect(readdirSync(join(path, '..'))).toEqual(['records.db'])
})

test('what would not come back as it is is refused', async () => {
  const store = open()
  const half = 'half \ud800'
  await expect(store.publish('key', 'a', 5, { ...publication, value: half }, patient)).rejects.toThrow(
    'value: expected well-formed Unicode',
  )
  await expect(store.publish(half, 'a', 5, publication, patient)).rejects.toThrow('key: expected well-formed Unicode')
  await expect(store.read([half], patient)).rejects.toThrow(TypeError)
  const cut = 'cut \0 short'
  await expect(store.publish('key', 'a', 5, { ...publication, value: cut }, patient)).rejects.toThrow('value: expected no U+0000')
  await expect(store.read([cut], patient)).rejects.toThrow('key: expected no U+0000')
  expect((await store.read(['key'], patient))[0]?.version).toBe(0)
})

test('a read of no keys that was given up rejects as well', async () => {
  const reason = new Error('given up')
  await expect(open().read([], { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
})

test('the largest fences and lengths are exact', async () => {
  const path = join(folder(), 'records.db')
  const store = open(path)
  const years = { renewInMs: 100 * 365 * DAY_MS, expiresInMs: 250 * 365 * DAY_MS }
  await store.publish('key', 'a', Number.MAX_SAFE_INTEGER, { ...publication, ...years }, patient)
  expect(rows(path)[0]).toMatchObject({ fence: 9007199254740991n, version: 9007199254740991n, expires_length: 7884000000000000n })
  const far = { ...publication, expiresInMs: 300 * 365 * DAY_MS }
  await expect(store.publish('key', 'b', 5, far, patient)).rejects.toThrow(/^a duration in microseconds: expected a safe integer/)
  await expect(
    store.claim('key', 'b', { ...claim, seen: Number.MAX_SAFE_INTEGER, rejected: Number.MAX_SAFE_INTEGER }, patient),
  ).rejects.toThrow('a fence is a safe integer')
  expect(rows(path)[0]).toMatchObject({ fence: 9007199254740991n, owner: null })
})

test('an operation that changes nothing writes nothing', async () => {
  const path = join(folder(), 'records.db')
  const store = open(path)
  await store.publish('key', 'a', Date.now() * 1000, publication, patient)
  const before = statSync(`${path}-wal`)
  await store.claim('key', 'b', claim, patient)
  await store.publish('key', 'a', 5, publication, patient)
  await store.publish('key', 'c', 5, publication, patient)
  await store.settle('key', 'a', 5, { backoffMs: 0 }, patient)
  await store.invalidate('key', 5, patient)
  await store.read(['key', 'other'], patient)
  const after = statSync(`${path}-wal`)
  expect([after.size, after.mtimeMs]).toEqual([before.size, before.mtimeMs])
})

test('records are forgotten 90 days after everything in them was over, a few with each change', async () => {
  const path = join(folder(), 'records.db')
  const store = open(path)
  for (let index = 0; index < 25; index++) await store.invalidate(`over ${index}`, 5, patient)
  await store.publish('ticket', 'a', Date.now() * 1000, { ...publication, expiresInMs: 3652 * DAY_MS }, patient)
  await store.publish('kept', 'a', Date.now() * 1000, publication, patient)
  const age = (days: number, condition: string) =>
    inFile(path, (database) => database.exec(`update records set written_at = written_at - ${days * DAY_MS * 1000} where ${condition}`))
  age(91, "key like 'over%' or key = 'ticket'")
  age(89, "key = 'kept'")
  const keys: number[] = []
  for (let change = 0; change < 4; change++) {
    await store.invalidate(`change ${change}`, 5, patient)
    keys.push(rows(path).length)
  }
  expect(keys).toEqual([18, 9, 5, 6])
  expect((await store.read(['ticket', 'kept', 'over 1'], patient)).map(({ version }) => version > 0)).toEqual([true, true, false])
})

test('a file that was removed or replaced is left, and the one at the path is used', async () => {
  const path = join(folder(), 'records.db')
  const [store, other] = [open(path), open(join(path, '../other.db'))]
  await store.publish('key', 'a', 5, publication, patient)
  for (const name of ['', '-wal', '-shm']) rmSync(path + name)
  expect((await store.read(['key'], patient))[0]?.version).toBe(0)
  await store.publish('key', 'b', 6, publication, patient)
  expect(rows(path)).toMatchObject([{ key: 'key', version: 6n }])

  await other.publish('key', 'c', 7, publication, patient)
  await other.close()
  await store.close()
  const late = open(path)
  await late.read(['key'], patient)
  renameSync(join(path, '../other.db'), path)
  expect((await late.read(['key'], patient))[0]?.version).toBe(7)
  expect(integrity(path)).toBe('ok')
})

test('no error shows a value', async () => {
  const store = open(join(folder(), 'missing', 'records.db'))
  const value = randomSecret('a published value')
  await expect(store.publish('key', 'a', 5, { ...publication, value }, patient)).rejects.toSatisfy((error) => record('error', error))
  const path = join(folder(), 'records.db')
  const refusing = open(path)
  await refusing.read(['key'], patient)
  inFile(path, (database) => database.exec("create trigger refuse before update on records begin select raise(abort, 'refused'); end"))
  const refused = refusing.publish('key', 'a', 5, { ...publication, value }, patient)
  await expect(refused).rejects.toSatisfy((error) => record('error', error))
  await expect(refused).rejects.toThrow('refused')
})
