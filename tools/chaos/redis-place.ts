import { type RedisServer, startRedis } from '@tokenwell/test-servers'
import { Redis } from 'ioredis'
import { names } from '../../packages/store-redis/src/names.ts'
import { attempted, type Pause, until } from './pause.ts'
import { type Loses, losing, oneOf, type Place } from './place.ts'
import type { Planned } from './plan.ts'
import { layWires, whileNobodyIsReached } from './wires.ts'

/** Everything is in the file before it is answered for: a server that is killed comes back with all of it. */
const SETTINGS = { appendonly: 'yes', appendfsync: 'no', 'repl-diskless-sync-delay': '0' }

/** How long a server may take to answer whoever does this to it, milliseconds. */
const ADMIN_MS = 5_000
/** A command that was on its way when its connection ended has been carried out by then. */
const SETTLED_MS = 50

/** A Redis with a replica, each process on a wire of its own. */
export async function openRedis(processes: number): Promise<Place> {
  let primary = await startRedis({ settings: SETTINGS })
  let replica = await startRedis({ settings: SETTINGS })
  await follow(replica, primary)
  const wires = await layWires(primary.port, processes)
  // Its records alone are on these servers.
  const keyPrefix = 'chaos'

  async function failOver(pause: Pause, isComplete: boolean, lagMs: number, loses: Loses): Promise<void> {
    await attempted(until('the replica follows', () => isLinked(replica), pause))
    if (!isComplete) {
      await asked(replica, (client) => client.replicaof('NO', 'ONE'))
      await pause(lagMs)
    }
    const promote = () =>
      whileNobodyIsReached(wires, async () => {
        if (isComplete) {
          await pause(SETTLED_MS)
          await until('the replica has everything', () => isReplicated(primary), pause)
          await asked(replica, (client) => client.replicaof('NO', 'ONE'))
        }
        await primary.kill()
        return replica.port
      })
    await (isComplete ? promote() : losing(loses, promote))
    ;[primary, replica] = [replica, primary]
    await replica.restart()
    await follow(replica, primary)
  }

  async function strike({ kind, forMs, draw }: Planned, pause: Pause, loses: Loses): Promise<void> {
    switch (kind) {
      case 'stall':
        primary.pause()
        await pause(forMs).finally(() => primary.resume())
        return
      case 'restart':
        await primary.kill()
        await pause(Math.min(forMs, 3_000))
        return primary.restart()
      case 'restart empty':
        return losing(loses, async () => {
          await asked(primary, (client) => client.flushall())
          await primary.kill()
          await pause(Math.min(forMs, 3_000))
          await primary.restart()
        })
      case 'FLUSHALL':
        return losing(loses, async () => void (await attempted(asked(primary, (client) => client.flushall()))))
      case 'record lost': {
        const record = oneOf(await attempted(asked(primary, (client) => client.keys('{*'))), draw)
        return losing(
          loses,
          async () => void (await attempted(asked(primary, (client) => client.del(record)))),
          names(keyPrefix, '').keyOf(record),
        )
      }
      case 'SCRIPT FLUSH':
        return void (await attempted(asked(primary, (client) => client.script('FLUSH'))))
      case 'CLIENT KILL':
        for (const type of ['normal', 'pubsub']) {
          // Its own connection ends with the others.
          await asked(primary, (client) => client.call('CLIENT', 'KILL', 'TYPE', type)).catch(() => {})
        }
        return
      case 'CLIENT PAUSE':
        await attempted(asked(primary, (client) => client.call('CLIENT', 'PAUSE', String(Math.min(forMs, 5_000)))))
        return pause(Math.min(forMs, 5_000))
      case 'failover':
        return failOver(pause, true, 0, loses)
      case 'failover without the last writes':
        return failOver(pause, false, 50 + draw * 2_000, loses)
      default:
        throw new Error(`no such fault of a Redis: ${kind}`)
    }
  }

  return {
    address: (node) => ({ kind: 'redis', url: `redis://127.0.0.1:${wires[node]?.port}`, keyPrefix }),
    wires,
    strike,
    async stop() {
      await Promise.all(wires.map((wire) => wire.stop()))
      await Promise.all([primary.stop(), replica.stop()])
    },
  }
}

async function follow(replica: RedisServer, primary: RedisServer): Promise<void> {
  await asked(replica, (client) => client.replicaof('127.0.0.1', primary.port))
}

async function isLinked(replica: RedisServer): Promise<boolean> {
  return (await asked(replica, (client) => client.info('replication'))).includes('master_link_status:up')
}

async function isReplicated(primary: RedisServer): Promise<boolean> {
  const info = await asked(primary, (client) => client.info('replication'))
  return info.includes(`offset=${/master_repl_offset:(\d+)/.exec(info)?.[1]},`)
}

/** A connection for one purpose. */
async function asked<T>({ url }: RedisServer, ask: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(url, { maxRetriesPerRequest: 1, commandTimeout: ADMIN_MS })
  // What fails is the command; unheard the errors of the connection are printed.
  client.on('error', () => {})
  try {
    return await ask(client)
  } finally {
    client.disconnect()
  }
}
