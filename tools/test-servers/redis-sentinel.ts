import { Redis } from 'ioredis'
import { freePorts } from './free-port.ts'
import { startAll, until } from './redis-cluster.ts'
import { type RedisServer, startRedis, startSentinel } from './redis-server.ts'

export interface RedisSentinel {
  readonly primary: RedisServer
  readonly replica: RedisServer
  readonly sentinels: readonly RedisServer[]
  /** What a client is given to find the primary. */
  readonly client: { readonly sentinels: { readonly host: string; readonly port: number }[]; readonly name: string }
  stop(): Promise<void>
}

const NAME = 'tokenwell'

/** A primary, a replica, and three Sentinels that put the replica in its place about a second after it has gone. */
export async function startRedisSentinel(): Promise<RedisSentinel> {
  const settings = { 'repl-diskless-sync-delay': '0' }
  const primary = await startRedis({ settings })
  const started: RedisServer[] = [primary]
  const stop = async () => {
    await Promise.all(started.map((server) => server.stop()))
  }
  try {
    const replica = await startRedis({ settings: { ...settings, replicaof: `127.0.0.1 ${primary.port}` } })
    started.push(replica)
    await ask([replica], (client) => client.info('replication'), /master_link_status:up/)
    const ports = await freePorts(3)
    const sentinels = await startAll(ports.length, (index) => startSentinel(ports[index] ?? 0, configuration(ports[index] ?? 0, primary)))
    started.push(...sentinels)
    await ask(sentinels, async (client) => String(await client.call('SENTINEL', 'MASTER', NAME)), /num-slaves,1,num-other-sentinels,2/)
    return {
      primary,
      replica,
      sentinels,
      client: { sentinels: sentinels.map(({ port }) => ({ host: '127.0.0.1', port })), name: NAME },
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

function configuration(port: number, primary: RedisServer): string {
  return [
    `port ${port}`,
    'bind 127.0.0.1',
    'protected-mode no',
    `sentinel monitor ${NAME} 127.0.0.1 ${primary.port} 2`,
    `sentinel down-after-milliseconds ${NAME} 500`,
    `sentinel failover-timeout ${NAME} 3000`,
    '',
  ].join('\n')
}

/** Asks each of these servers until it gives such an answer. */
async function ask(servers: readonly RedisServer[], question: (client: Redis) => Promise<string>, answer: RegExp): Promise<void> {
  const clients = servers.map(({ url }) => new Redis(url))
  try {
    await Promise.all(clients.map((client) => until(`answer ${answer}`, async () => answer.test(await question(client)))))
  } finally {
    for (const client of clients) client.disconnect()
  }
}
