import { setTimeout as passed } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { type RedisServer, startRedis } from './redis-server.ts'

const SLOTS = 16384
const READY_MS = 30_000

export interface RedisCluster {
  readonly primaries: readonly RedisServer[]
  /** The replica of the primary at the same index. */
  readonly replicas: readonly RedisServer[]
  /** Where a client may start. */
  readonly nodes: { readonly host: string; readonly port: number }[]
  stop(): Promise<void>
}

/** Three primaries with a replica each. A replica takes over about two seconds after its primary has gone. Needs Redis 7. */
export async function startRedisCluster(): Promise<RedisCluster> {
  const settings = { 'cluster-enabled': 'yes', 'cluster-node-timeout': '1000', 'repl-diskless-sync-delay': '0' }
  const servers = await startAll(6, () => startRedis({ settings }))
  const stop = async () => {
    await Promise.all(servers.map((server) => server.stop()))
  }
  const clients = servers.map(({ url }) => new Redis(url))
  try {
    await join(clients, servers)
  } catch (error) {
    await stop()
    throw error
  } finally {
    for (const client of clients) client.disconnect()
  }
  return {
    primaries: servers.slice(0, 3),
    replicas: servers.slice(3),
    nodes: servers.map(({ port }) => ({ host: '127.0.0.1', port })),
    stop,
  }
}

/** Starts several at once; all or none. */
export async function startAll<T extends { stop(): Promise<void> }>(count: number, start: (index: number) => Promise<T>): Promise<T[]> {
  const outcomes = await Promise.allSettled(Array.from({ length: count }, (_, index) => start(index)))
  const started = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
  const failed = outcomes.find((outcome) => outcome.status === 'rejected')
  if (failed === undefined) return started
  await Promise.all(started.map((each) => each.stop()))
  throw failed.reason
}

/** Asks until the answer is yes. */
export async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + READY_MS
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`${what}: not so after ${READY_MS} ms`)
    await passed(20)
  }
}

async function join(clients: readonly Redis[], servers: readonly RedisServer[]): Promise<void> {
  const [first] = clients
  if (first === undefined) return
  const primaries = clients.slice(0, 3)
  for (const [index, primary] of primaries.entries()) {
    const [from, to] = [index, index + 1].map((each) => Math.floor((each * SLOTS) / primaries.length))
    await primary.call('CLUSTER', 'ADDSLOTSRANGE', String(from), String((to ?? SLOTS) - 1))
  }
  for (const [index, client] of clients.entries()) await client.call('CLUSTER', 'SET-CONFIG-EPOCH', String(index + 1))
  for (const { port, busPort } of servers.slice(1)) await first.call('CLUSTER', 'MEET', '127.0.0.1', String(port), String(busPort))
  await until('every node knows every other one', async () => {
    const known = await Promise.all(clients.map((client) => client.call('CLUSTER', 'NODES')))
    return known.every(
      (nodes) =>
        String(nodes)
          .trim()
          .split('\n')
          .filter((node) => !/handshake|fail|noaddr/.test(node)).length === clients.length,
    )
  })
  for (const [index, primary] of primaries.entries()) {
    const id = String(await primary.call('CLUSTER', 'MYID'))
    await clients[index + primaries.length]?.call('CLUSTER', 'REPLICATE', id)
  }
  await until('the cluster is complete', async () => {
    const states = await Promise.all(clients.map((client) => client.call('CLUSTER', 'INFO')))
    const links = await Promise.all(clients.slice(primaries.length).map((replica) => replica.info('replication')))
    return (
      states.every((state) => String(state).includes('cluster_state:ok')) && links.every((info) => info.includes('master_link_status:up'))
    )
  })
}
