import { readFileSync } from 'node:fs'
import type { StoreChange } from '@tokenwell/core'
import { migrationSql, postgresStore } from '@tokenwell/store-postgres'
import { type PostgresServer, startPostgres } from '@tokenwell/test-servers'
import type { Pool } from 'pg'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { claim, patient, publication } from './support/operations.ts'
import { connect } from './support/pool.ts'

const README = readFileSync(new URL('../README.md', import.meta.url), 'utf8')

let server: PostgresServer
let admin: Pool
let roles = 0

beforeAll(async () => {
  server = await startPostgres()
  admin = connect(server.url)
  await admin.query('revoke create on schema public from public')
}, 60_000)

afterAll(async () => {
  await admin.end()
  await server.stop()
})

/** The statements of the README that begin with these words, for another role and another schema. */
function documented(first: string, role: string, schema: string): string {
  const statements = README.split('\n').filter((line) => line.startsWith(first) && line.endsWith('app;'))
  expect(statements.length).toBeGreaterThan(0)
  return statements.map((line) => line.replaceAll('tokenwell', schema).replaceAll(/\bapp;/g, `${role};`)).join('\n')
}

/** A new role with no rights yet; a store as that role, in a schema that is called like it. */
async function newRole() {
  const role = `role_${roles++}`
  await admin.query(`create role ${role} login`)
  const pool = connect(server.url.replace('postgres@', `${role}@`))
  onTestFinished(() => pool.end())
  const open = () => {
    const store = postgresStore({ pool, schema: role })
    onTestFinished(() => store.close())
    return store
  }
  return { role, pool, open }
}

test('a role with the rights that are documented can do everything, and nothing else', async () => {
  const { role, pool, open } = await newRole()
  await admin.query(migrationSql({ schema: role }))
  await admin.query(documented('grant ', role, role))
  const store = open()
  const changes: StoreChange[] = []
  await store.subscribe?.((change) => changes.push(change))
  const granted = await store.claim('key', 'a', claim, patient)
  const fence = granted.kind === 'granted' ? granted.fence : 0
  expect((await store.publish('key', 'a', fence, publication, patient)).kind).toBe('accepted')
  expect((await store.invalidate('key', fence, patient)).rejectedUpTo).toBe(fence)
  const second = await store.claim('key', 'b', claim, patient)
  await store.settle('key', 'b', second.kind === 'granted' ? second.fence : 0, { backoffMs: 5 }, patient)
  expect((await store.read(['key'], patient))[0]?.backoff?.failures).toBe(1)
  await expect.poll(() => changes.length).toBe(3)
  expect((await pool.query(`delete from ${role}.records`)).rowCount).toBe(1)
  await expect(pool.query(`drop table ${role}.records`)).rejects.toThrow(/must be owner/)
  await expect(pool.query(`delete from ${role}.migrations`)).rejects.toThrow(/permission denied/)
})

test('a role that may create in the database makes its own schema', async () => {
  const { role, open } = await newRole()
  await admin.query(`grant create on database postgres to ${role}`)
  expect((await open().claim('key', 'a', claim, patient)).kind).toBe('granted')
})

test('a role that may not, but has been given a schema, makes its own tables', async () => {
  const { role, open } = await newRole()
  await admin.query(`create schema ${role}; grant usage, create on schema ${role} to ${role}`)
  expect((await open().claim('key', 'a', claim, patient)).kind).toBe('granted')
})

test('a role without rights is told where they are listed', async () => {
  const { role, open } = await newRole()
  const refusal = /permission denied.*\(grant the pool's role what the README of @tokenwell\/store-postgres lists\)$/s
  await expect(open().claim('key', 'a', claim, patient)).rejects.toThrow(refusal)
  await admin.query(migrationSql({ schema: role }))
  await expect(open().claim('key', 'a', claim, patient)).rejects.toThrow(refusal)
})
