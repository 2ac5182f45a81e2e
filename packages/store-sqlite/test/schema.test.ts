import { join } from 'node:path'
import type { TokenStore } from '@tokenwell/core'
import { expect, onTestFinished, test } from 'vitest'
import { storeWith } from '../src/sqlite-store.ts'
import { sources } from '../src/statements.ts'
import { folder } from './support/files.ts'
import { claim, patient, publication } from './support/operations.ts'
import { together } from './support/process.ts'
import { inFile, integrity, rows } from './support/records.ts'

/** What a later version may bring: a column that older code does not know, and a record that it may still use. */
const COMPATIBLE = [...sources.migrations, 'alter table records add column novelty text; update tokenwell set version = 2']

function open(path: string, migrations: readonly string[] = sources.migrations): TokenStore {
  const store = storeWith({ ...sources, migrations }, { path })
  onTestFinished(() => store.close())
  return store
}

const version = (path: string) => inFile(path, (database) => ({ ...database.prepare('select version, lowest from tokenwell').get() }))

test('an older file is brought up to date where it is, and older nodes go on with it', async () => {
  const path = join(folder(), 'records.db')
  const older = open(path)
  await older.publish('key', 'a', 5, publication, patient)
  const newer = open(path, COMPATIBLE)
  expect((await newer.read(['key'], patient))[0]?.version).toBe(5)
  expect(version(path)).toEqual({ version: 2, lowest: 1 })

  inFile(path, (database) => database.exec("update records set novelty = 'kept'"))
  expect((await older.publish('key', 'b', 6, publication, patient)).kind).toBe('accepted')
  const another = open(path)
  expect((await another.claim('key', 'c', { ...claim, seen: 7 }, patient)).kind).toBe('granted')
  expect(rows(path)).toMatchObject([{ key: 'key', version: 6n, novelty: 'kept', owner: 'c' }])
  expect(version(path)).toEqual({ version: 2, lowest: 1 })
})

test('ten processes that start at once, half of them of a later version, migrate an older file once, 20 times', async () => {
  const path = join(folder(), 'records')
  const files = 20
  for (let file = 0; file < files; file++) await open(`${path}${file}`).publish('before', 'a', 5, publication, patient)
  const args = Array.from({ length: 10 }, (_, index) => ({
    path,
    name: `node ${index}`,
    files,
    ...(index % 2 === 0 && { migrations: COMPATIBLE }),
  }))
  expect(await together('open', args)).toEqual(Array(10).fill(Array(files).fill('accepted')))
  for (let file = 0; file < files; file++) {
    expect(rows(`${path}${file}`)).toHaveLength(11)
    expect(version(`${path}${file}`)).toEqual({ version: 2, lowest: 1 })
    expect(integrity(`${path}${file}`)).toBe('ok')
  }
}, 30_000)

test('a migration that fails leaves the file as it was', async () => {
  const path = join(folder(), 'records.db')
  const older = open(path)
  await older.publish('key', 'a', 5, publication, patient)
  const failing = open(path, [...sources.migrations, 'alter table records add column novelty text; update nowhere set version = 2'])
  await expect(failing.read(['key'], patient)).rejects.toThrow(/no such table: nowhere/)
  expect(version(path)).toEqual({ version: 1, lowest: 1 })
  expect(rows(path)[0]).not.toHaveProperty('novelty')
  expect((await older.read(['key'], patient))[0]?.version).toBe(5)
})

test('a file that needs later code is refused, by nodes that run as by nodes that start, and stays as it is', async () => {
  const path = join(folder(), 'records.db')
  const running = open(path)
  await running.publish('key', 'a', 5, publication, patient)
  inFile(path, (database) => database.exec('update tokenwell set version = 3, lowest = 2'))
  const before = rows(path)
  const refusal = /needs version 2 of the schema, and this version of @tokenwell\/store-sqlite knows 1: update it on this node/
  for (const store of [running, open(path)]) {
    await expect(store.read(['key'], patient)).rejects.toThrow(refusal)
    await expect(store.claim('key', 'b', claim, patient)).rejects.toThrow(refusal)
    await expect(store.publish('key', 'b', 6, publication, patient)).rejects.toThrow(refusal)
    await expect(store.settle('key', 'b', 6, { backoffMs: 0 }, patient)).rejects.toThrow(refusal)
    await expect(store.invalidate('key', 5, patient)).rejects.toThrow(refusal)
  }
  expect(rows(path)).toEqual(before)
})

test('a record that needs later code is refused, and others are not', async () => {
  const path = join(folder(), 'records.db')
  const store = open(path)
  await store.publish('key', 'a', 5, publication, patient)
  await store.publish('other', 'a', 5, publication, patient)
  inFile(path, (database) => database.exec("update records set lowest = 2 where key = 'key'"))
  const refusal = /needs version 2 of the schema/
  await expect(store.read(['key'], patient)).rejects.toThrow(refusal)
  await expect(store.publish('key', 'b', 6, publication, patient)).rejects.toThrow(refusal)
  expect((await store.publish('other', 'b', 6, publication, patient)).kind).toBe('accepted')
  expect(rows(path).map(({ version }) => version)).toEqual([5n, 6n])
})

test('a file that came back from a dump, without its write-ahead log, has one again', async () => {
  const path = join(folder(), 'records.db')
  const store = open(path)
  await store.publish('key', 'a', 5, publication, patient)
  await store.close()
  const mode = (pragma: string) => inFile(path, (database) => database.prepare(pragma).get()?.journal_mode)
  expect(mode('pragma journal_mode = delete')).toBe('delete')
  expect((await open(path).read(['key'], patient))[0]?.version).toBe(5)
  expect(mode('pragma journal_mode')).toBe('wal')
})
