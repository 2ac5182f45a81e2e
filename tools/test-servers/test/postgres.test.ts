import { fork, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Client } from 'pg'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type PostgresServer, startPgbouncer, startPostgres, startPostgresReplica } from '../index.ts'
import { isAlive } from '../is-alive.ts'

async function clientOf({ url }: { readonly url: string }): Promise<Client> {
  const client = new Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  return client
}

async function ask(server: { readonly url: string }, question: string): Promise<unknown> {
  const client = await clientOf(server)
  const { rows } = await client.query(question)
  await client.end()
  return Object.values(rows[0] ?? {})[0]
}

describe.each(['embedded', 'path'] as const)('the PostgreSQL that is %s', (version) => {
  test('answers, and is gone with its files when it is stopped', async () => {
    const server = await startPostgres({ version, settings: { max_connections: '17' } })
    expect(await ask(server, 'show max_connections')).toBe('17')
    expect(await ask(server, 'show data_directory')).toBe(server.folder)
    const { pid, folder } = server
    await server.stop()
    expect([isAlive(pid), existsSync(folder)]).toEqual([false, false])
  })

  test('is followed by a replica, which can be promoted', async () => {
    const primary = await startPostgres({ version })
    onTestFinished(() => primary.stop())
    await ask(primary, "create table copied as select 'yes' as value")
    const replica = await startPostgresReplica(primary, { version })
    onTestFinished(() => replica.stop())
    expect(await ask(replica, 'select value from copied')).toBe('yes')
    await ask(primary, "create table followed as select 'yes' as value")
    await expect.poll(() => ask(replica, "select to_regclass('followed')"), { timeout: 10_000 }).toBe('followed')
    await expect(ask(replica, 'drop table copied')).rejects.toThrow(/read-only/)
    await replica.promote()
    await ask(replica, 'drop table copied')
  })
})

test('a server says nothing while it is frozen, also on connections that it has, and can be stopped frozen', async () => {
  const server = await startPostgres()
  const client = await clientOf(server)
  server.pause()
  let answered = false
  const answer = client.query('select 1').then(() => {
    answered = true
  })
  // Somebody who is not frozen answers meanwhile.
  expect(spawnSync('true').status).toBe(0)
  expect(answered).toBe(false)
  server.resume()
  await answer
  server.pause()
  await server.stop()
  await client.end()
  expect(isAlive(server.pid)).toBe(false)
})

test('a server has its port and its records when it is started again', async () => {
  const server = await startPostgres()
  onTestFinished(() => server.stop())
  await ask(server, "create table kept as select 'yes' as value")
  const { pid } = server
  await server.restart()
  expect(server.pid).not.toBe(pid)
  expect(await ask(server, 'select value from kept')).toBe('yes')
})

test('a server that cannot start says why', async () => {
  await expect(startPostgres({ settings: { max_connections: 'many' } })).rejects.toThrow(/invalid value for parameter "max_connections"/)
})

test('a PgBouncer passes on, in either mode, and is gone when it is stopped', async () => {
  const upstream = await startPostgres()
  onTestFinished(() => upstream.stop())
  for (const poolMode of ['session', 'transaction'] as const) {
    const pgbouncer = await startPgbouncer({ upstream, poolMode })
    expect(await ask(pgbouncer, 'select 1 as one')).toBe(1)
    const { pid } = pgbouncer
    await pgbouncer.stop()
    expect(isAlive(pid)).toBe(false)
  }
})

test.each(['SIGKILL', 'exit'] as const)(
  'nothing is left of a process that ends by %s',
  async (how) => {
    const child = fork(fileURLToPath(new URL('./postgres-starter.ts', import.meta.url)))
    const [servers] = (await once(child, 'message')) as [Pick<PostgresServer, 'pid' | 'folder'>[]]
    const left = () => servers.flatMap(({ pid, folder }) => [isAlive(pid), existsSync(folder)])
    // One runs, one is frozen, one has been killed and has kept its files.
    expect(left()).toEqual([true, true, true, true, false, true])
    if (how === 'exit') child.send('exit')
    else child.kill(how)
    await once(child, 'exit')
    await expect.poll(left, { timeout: 10_000, interval: 20 }).not.toContain(true)
  },
  60_000,
)
