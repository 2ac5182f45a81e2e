/**
 * What this package uses of an ioredis client. Written down rather than imported: the classes of ioredis 5 and 6 are not assignable to
 * each other, and both will do.
 *
 * @module
 */

interface Scripting {
  /** `end` once it will not connect again. */
  readonly status: string
  readonly options: { readonly keyPrefix?: string | Buffer | undefined }
  evalsha(sha: string, numberOfKeys: number, ...keysAndArguments: string[]): Promise<unknown>
  eval(script: string, numberOfKeys: number, ...keysAndArguments: string[]): Promise<unknown>
}

/** ioredis' `Redis`, on one server or found through Sentinels. */
export interface RedisServer extends Scripting {
  duplicate(override: { readonly lazyConnect: boolean; readonly autoResubscribe: boolean }): RedisSubscriber
}

/** ioredis' `Cluster`. */
export interface RedisCluster extends Scripting {
  ping(): Promise<unknown>
  nodes(role: 'all'): readonly Pick<RedisServer, 'duplicate'>[]
}

export type RedisClient = RedisServer | RedisCluster

/** A connection for announcements: a duplicate of the client, or of one of a cluster's nodes. */
export interface RedisSubscriber {
  readonly stream?: { unref?(): unknown }
  connect(): Promise<void>
  subscribe(channel: string): Promise<unknown>
  disconnect(): void
  on(event: 'connect' | 'ready' | 'close' | 'end', listener: () => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
  on(event: 'message', listener: (channel: string, message: string) => void): unknown
}

/**
 * An error of the client as one that may be shown. ioredis hangs the whole command on its errors, and so the value to be published; and
 * a server quotes the arguments of a command that it does not know.
 */
export function presentable(error: unknown, client: RedisClient): Error {
  const said = (error instanceof Error ? error.message : String(error)).replace(/,? with args beginning with.*$/s, '')
  if (client.status === 'end') {
    return new Error(
      `the Redis client is closed and will not connect again (${said}): give the store a client that stays open until it is closed`,
    )
  }
  // Redis 6 and older say it within a sentence on the script.
  if (said.includes('READONLY')) {
    return new Error(`${said} (the client is connected to a replica: let it find the primary through Sentinel, or set reconnectOnError)`)
  }
  return new Error(said)
}
