import { chmodSync, closeSync, mkdirSync, openSync, readFileSync, symlinkSync, writeFileSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { TokenStore } from '@tokenwell/core'
import { sqliteStore } from '@tokenwell/store-sqlite'
import { expect, onTestFinished, test } from 'vitest'
import { folder } from './support/files.ts'
import { claim, patient, publication } from './support/operations.ts'
import { NodeProcess } from './support/process.ts'
import { inFile, integrity, rows } from './support/records.ts'

/** A user who may not do everything, for tests that run as one who may. */
const NOBODY = process.getuid?.() === 0 ? { user: 65_534 } : {}

function open(path: string): TokenStore {
  const store = sqliteStore({ path })
  onTestFinished(() => store.close())
  return store
}

async function written(path: string, count = 1): Promise<void> {
  const store = sqliteStore({ path })
  for (let index = 0; index < count; index++)
    await store.publish(`key ${index}`, 'a', 5, { ...publication, value: 'v'.repeat(3_000) }, patient)
  await store.close()
}

/** What each operation says in a process that may not do everything. */
async function attempts(path: string): Promise<unknown> {
  const node = new NodeProcess('attempt', { path, ...NOBODY })
  await node.ready
  node.go()
  return node.result
}

test('a folder that is not there is named, and used once it is', async () => {
  const path = join(folder(), 'missing', 'records.db')
  const store = open(path)
  const expected = `the folder does not exist, the store does not make one: ${dirname(path)}`
  await expect(store.read(['key'], patient)).rejects.toThrow(expected)
  await expect(store.claim('key', 'a', claim, patient)).rejects.toThrow(expected)
  mkdirSync(dirname(path))
  expect((await store.claim('key', 'a', claim, patient)).kind).toBe('granted')
})

test('a folder that is not there at the end of a link is named', async () => {
  const path = join(folder(), 'records.db')
  symlinkSync('missing/records.db', path)
  await expect(open(path).read(['key'], patient)).rejects.toThrow(
    `the folder does not exist, the store does not make one: ${dirname(path)}/missing`,
  )
})

test('a folder is no file', async () => {
  const path = folder()
  await expect(open(path).read(['key'], patient)).rejects.toThrow(/unable to open database file; it must be a file, or not be there yet/)
})

test('a file that is no database is refused, and stays as it is', async () => {
  const path = join(folder(), 'records.db')
  const text = 'somebody else wrote this, and it is long enough to have a header. '.repeat(20)
  writeFileSync(path, text)
  const store = open(path)
  await expect(store.read(['key'], patient)).rejects.toThrow(
    /file is not a database; the file is something else: give the store a path of its own/,
  )
  await expect(store.publish('key', 'a', 5, publication, patient)).rejects.toThrow(/not a database/)
  expect(readFileSync(path, 'utf8')).toBe(text)
})

test('a database of something else is refused, and stays as it is', async () => {
  const path = join(folder(), 'records.db')
  const database = new DatabaseSync(path)
  database.exec('create table users (name text)')
  database.close()
  const before = readFileSync(path)
  await expect(open(path).claim('key', 'a', claim, patient)).rejects.toThrow(
    /the database holds something else: give the store a file of its own/,
  )
  expect(readFileSync(path)).toEqual(before)
})

test('a damaged file is named as such', async () => {
  const path = join(folder(), 'records.db')
  await written(path, 50)
  const file = openSync(path, 'r+')
  writeSync(file, Buffer.alloc(readFileSync(path).length - 4096, 0xa5), 0, undefined, 4096)
  closeSync(file)
  const store = open(path)
  await expect(store.read(['key 1'], patient)).rejects.toThrow(/malformed; the file is damaged: stop its processes, keep a copy/)
  await expect(store.publish('key 1', 'b', 6, publication, patient)).rejects.toThrow(/the file is damaged/)
})

test('a file that has lost its version is named as damaged, by nodes that run as by nodes that start', async () => {
  const path = join(folder(), 'records.db')
  const running = open(path)
  await running.publish('key', 'a', 5, publication, patient)
  inFile(path, (database) => database.exec('delete from tokenwell'))
  const damaged = 'the table tokenwell is empty: the file is damaged'
  for (const store of [running, open(path)]) await expect(store.read(['key'], patient)).rejects.toThrow(damaged)
})

test('a file and a folder that may not be written are named, and nothing is lost', async () => {
  const path = join(folder(), 'records.db')
  await written(path)
  chmodSync(path, 0o444)
  chmodSync(dirname(path), 0o555)
  const refused = expect.stringMatching(/^SQLite: .*writable for this process|^SQLite: .*may write to/)
  expect(await attempts(path)).toEqual({ read: refused, claim: refused, publish: refused })
  chmodSync(dirname(path), 0o700)
  chmodSync(path, 0o600)
  expect(rows(path)).toMatchObject([{ key: 'key 0', version: 5n }])
})

test('a folder in which no file may be made is named', async () => {
  const path = join(folder(), 'records.db')
  chmodSync(dirname(path), 0o555)
  const refused = expect.stringMatching(
    /unable to open database file; it must be a file, or not be there yet, in a folder that this process may write/,
  )
  expect(await attempts(path)).toEqual({ read: refused, claim: refused, publish: refused })
  chmodSync(dirname(path), 0o700)
})

interface Filled {
  readonly version: number
  readonly read: number
  readonly error: string
}

test('where there is no space a write is refused, and what was acknowledged is still there', async () => {
  const path = join(folder(), 'records.db')
  await written(path)
  // Kilobytes that any one file of the process may have.
  const node = new NodeProcess('fill', { path }, 'ulimit -f 1000')
  await node.ready
  node.go()
  const { version, read, error } = (await node.result) as Filled
  expect(error).toMatch(/^SQLite: (disk I\/O error; the disk or the file system failed|database or disk is full; there is no space left)/)
  expect(version).toBeGreaterThan(10)
  expect(read).toBe(version)
  expect(rows(path).find(({ key }) => key === `key ${version % 50}`)).toMatchObject({ version: BigInt(version) })
  expect(integrity(path)).toBe('ok')
  expect((await open(path).publish('key', 'a', 5, publication, patient)).kind).toBe('accepted')
})
