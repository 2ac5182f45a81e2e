import { fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { startRedis, startRedisCluster, startRedisSentinel } from '../index.ts'
import { isAlive } from '../is-alive.ts'

test('a server answers, and is gone with its files when it is stopped', async () => {
  const server = await startRedis()
  const client = new Redis(server.url)
  expect(await client.ping()).toBe('PONG')
  client.disconnect()
  const { pid, folder } = server
  await server.stop()
  expect([isAlive(pid), existsSync(folder)]).toEqual([false, false])
})

test('a frozen server says nothing until it is let go, and can be stopped frozen', async () => {
  const server = await startRedis()
  const client = new Redis(server.url)
  await client.ping()
  server.pause()
  const answer = client.ping()
  server.resume()
  expect(await answer).toBe('PONG')
  server.pause()
  client.disconnect()
  await server.stop()
})

test('a server that is started again has its port, and the records it had written down', async () => {
  const server = await startRedis({ settings: { appendonly: 'yes', appendfsync: 'always' } })
  const client = new Redis(server.url)
  await client.set('kept', 'yes')
  const { pid } = server
  await server.restart()
  expect(server.pid).not.toBe(pid)
  expect(await client.get('kept')).toBe('yes')
  client.disconnect()
  await server.stop()
})

test('a server that cannot start says why', async () => {
  await expect(startRedis({ settings: { maxmemory: 'much' } })).rejects.toThrow(/argument must be a memory value/)
})

test.each(['SIGKILL', 'SIGINT', 'SIGTERM', 'exit'] as const)('nothing is left of a process that ends by %s', async (how) => {
  const child = fork(fileURLToPath(new URL('./starter.ts', import.meta.url)))
  const [servers] = (await once(child, 'message')) as [{ pid: number; folder: string }[]]
  const left = () => servers.flatMap(({ pid, folder }) => [isAlive(pid), existsSync(folder)])
  // One runs, one is frozen, one has been killed and has kept its files.
  expect(left()).toEqual([true, true, true, true, false, true])
  if (how === 'exit') child.send('exit')
  else child.kill(how)
  await once(child, 'exit')
  await expect.poll(left, { timeout: 10_000, interval: 20 }).not.toContain(true)
})

test('a cluster has three primaries with a replica each', async () => {
  const cluster = await startRedisCluster()
  const client = new Redis(cluster.primaries[0]?.url ?? '')
  const nodes = String(await client.call('CLUSTER', 'NODES'))
    .trim()
    .split('\n')
  expect(nodes.filter((node) => / (myself,)?master /.test(node)).length).toBe(3)
  expect(nodes.filter((node) => / (myself,)?slave /.test(node)).length).toBe(3)
  client.disconnect()
  await cluster.stop()
}, 60_000)

test('Sentinels put the replica in the place of a primary that has gone', async () => {
  const sentinel = await startRedisSentinel()
  const client = new Redis(sentinel.client)
  // It keeps trying the old primary until there is a new one.
  client.on('error', () => {})
  await client.set('key', 'value')
  await client.wait(1, 0)
  expect(client.stream.remotePort).toBe(sentinel.primary.port)
  await sentinel.primary.kill()
  expect(await client.get('key')).toBe('value')
  expect(client.stream.remotePort).toBe(sentinel.replica.port)
  client.disconnect()
  await sentinel.stop()
}, 60_000)
