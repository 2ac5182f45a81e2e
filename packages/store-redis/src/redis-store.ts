import type { Claim, Operation, Publication, TokenStore } from '@tokenwell/core'
import { Announcements } from './announcements.ts'
import { presentable, type RedisClient } from './client.ts'
import { names } from './names.ts'
import { parseReply, type Reply } from './reply.ts'
import { type Script, type Scripts, scriptsOf, sources } from './scripts.ts'

export interface RedisStoreOptions {
  /** Your own ioredis client, `Redis` or `Cluster`, of 5.4 or later. It stays yours: the store never closes it. */
  readonly client: RedisClient
  /** Keeps the records of several stores on one server apart: 1 to 200 characters. Default `tokenwell`. */
  readonly keyPrefix?: string
}

/** Records in Redis or Valkey, shared by every process that uses the same server, database and `keyPrefix`. */
export function redisStore(options: RedisStoreOptions): TokenStore {
  return storeWith(scriptsOf(sources), options)
}

/** A store with these scripts. An argument, so that the conformance suite can be shown scripts that break a rule. */
export function storeWith(scripts: Scripts, { client, keyPrefix = 'tokenwell' }: RedisStoreOptions): TokenStore {
  if (typeof client?.evalsha !== 'function') {
    throw new TypeError(`client: expected an ioredis client, Redis or Cluster, got ${client === null ? 'null' : typeof client}`)
  }
  if (typeof keyPrefix !== 'string' || keyPrefix === '' || keyPrefix.length > 200 || !keyPrefix.isWellFormed()) {
    throw new TypeError(`keyPrefix: expected 1 to 200 characters of well-formed Unicode, got ${JSON.stringify(keyPrefix)}`)
  }
  const own = names(keyPrefix, String(client.options?.keyPrefix ?? ''))
  const { channel } = own
  const announcements = new Announcements(client, own)

  /** One round trip; two, the first time a server meets the script. */
  async function run(script: Script, key: string, args: readonly string[], signal: AbortSignal): Promise<Reply> {
    const name = own.record(key)
    try {
      return parseReply(key, await client.evalsha(script.sha, 1, name, ...args))
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw presentable(error, client)
    }
    signal.throwIfAborted()
    try {
      return parseReply(key, await client.eval(script.source, 1, name, ...args))
    } catch (error) {
      throw presentable(error, client)
    }
  }

  function call(script: Script, key: string, args: readonly string[], { signal }: Operation): Promise<Reply> {
    signal.throwIfAborted()
    return untilAborted(run(script, key, args, signal), signal)
  }

  return {
    contractVersion: 1,
    capabilities: { shared: true, durable: true, push: true },

    /** One script for each key, sent at once: one round trip, whatever nodes of a cluster the keys live on. */
    async read(keys, { signal }) {
      signal.throwIfAborted()
      const replies = Promise.all(keys.map((key) => run(scripts.read, key, [], signal)))
      return (await untilAborted(replies, signal)).map(({ snapshot }) => snapshot)
    },

    async claim(key, attempt, { leaseMs, seen, rejected, config }, operation) {
      const args = [
        nonEmpty('attempt', attempt),
        microseconds(leaseMs),
        integer('seen', seen),
        integer('rejected', rejected),
        ...optional(config),
      ]
      const { kind, fence, takeover, snapshot } = await call(scripts.claim, key, args, operation)
      const claimed = oneOf(['granted', 'fresh', 'backoff', 'held'], kind)
      return claimed === 'granted' ? { kind: claimed, fence, takeover, snapshot } : { kind: claimed, snapshot }
    },

    async publish(key, attempt, fence, request, operation) {
      if (fence < 1) throw new RangeError(`fence: expected a safe integer of at least 1, got ${fence}`)
      const { value, renewInMs, expiresInMs, basedOn, quietMs, maxAheadMs } = request
      // Half a surrogate pair has no UTF-8: it would come back as another character.
      if (!value.isWellFormed()) throw new TypeError('value: expected well-formed Unicode')
      const args = [
        channel,
        nonEmpty('attempt', attempt),
        integer('fence', fence),
        value,
        microseconds(renewInMs),
        microseconds(expiresInMs),
      ]
      const wishes = [
        basedOn === undefined ? '' : integer('basedOn', basedOn),
        quietMs === undefined ? '' : microseconds(quietMs),
        maxAheadMs === undefined ? '' : microseconds(maxAheadMs),
      ]
      // An argument costs as much as what a script does with it, and most publications have no wish.
      if (wishes.some((wish) => wish !== '')) args.push(...wishes)
      const { kind, snapshot } = await call(scripts.publish, key, args, operation)
      return { kind: oneOf(['accepted', 'superseded', 'refused'], kind), snapshot }
    },

    async settle(key, attempt, fence, { backoffMs, failure = '', config }, operation) {
      const args = [channel, nonEmpty('attempt', attempt), integer('fence', fence), microseconds(backoffMs), failure, ...optional(config)]
      const { snapshot } = await call(scripts.settle, key, args, operation)
      return snapshot
    },

    async invalidate(key, version, operation) {
      const { snapshot } = await call(scripts.invalidate, key, [channel, integer('version', version)], operation)
      return snapshot
    },

    subscribe: (listener) => announcements.subscribe(listener),

    async close() {
      announcements.close()
    },
  }
}

/** Ends with the signal, even if the client never answers. ioredis may still send the command, or send it again: each is harmless. */
function untilAborted<T>(answer: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = () => reject(signal.reason)
    signal.addEventListener('abort', giveUp)
    answer.then(resolve, reject).finally(() => signal.removeEventListener('abort', giveUp))
  })
}

function oneOf<Kind extends (Claim | Publication)['kind']>(kinds: readonly Kind[], kind: string): Kind {
  const found = kinds.find((each) => each === kind)
  if (found === undefined) throw new Error(`a script of the store replied ${JSON.stringify(kind)}, expected ${kinds.join(', ')}`)
  return found
}

/** An empty one is none: a record knows no difference. */
function optional(argument = ''): string[] {
  return argument === '' ? [] : [argument]
}

/** In a record an empty one stands for nobody. */
function nonEmpty(what: string, text: string): string {
  if (text === '') throw new RangeError(`${what}: expected at least one character`)
  return text
}

function microseconds(ms: number): string {
  return integer('a duration in microseconds', Math.floor(ms * 1000))
}

function integer(what: string, number: number): string {
  if (!Number.isSafeInteger(number)) throw new RangeError(`${what}: expected a safe integer, got ${number}`)
  return String(number)
}
