import { setTimeout as passed } from 'node:timers/promises'
import { isConflict, isConnectionLoss, isUnusable, presentable } from './errors.ts'
import type { PostgresPool, PostgresPoolClient, PostgresResult } from './pool.ts'
import { carriedOut } from './prepared.ts'

/** How often a statement is sent again, each time with the same attempt: it is harmless twice. */
const TRIES_AFTER_CONFLICT = 200
const TRIES_AFTER_LOSS = 4

/** The longest pause before it is sent again, milliseconds: it grows up to that, with chance, or those who met would meet again. */
const PAUSE_MS = 50

/**
 * How long the connection of a statement that was given up may go on waiting for its answer, milliseconds. Then it is closed. Closed at
 * once, it would leave a server process behind that still waits, and the next statement would leave another.
 */
const PATIENCE_MS = 10_000

/** Sends one statement `select …` without a `from`, on its own, within what the signal allows. */
export async function send(pool: PostgresPool, text: string, values: readonly unknown[], signal: AbortSignal): Promise<PostgresResult> {
  for (let tries = 1; ; tries++) {
    signal.throwIfAborted()
    try {
      return await withClient(pool, signal, (client) => carriedOut(client, text, values))
    } catch (error) {
      if (signal.aborted) throw signal.reason
      if (tries >= triesFor(error)) throw presentable(error)
    }
    await pause(tries, signal)
  }
}

function triesFor(error: unknown): number {
  if (isConflict(error)) return TRIES_AFTER_CONFLICT
  return isConnectionLoss(error) ? TRIES_AFTER_LOSS : 1
}

async function pause(tries: number, signal: AbortSignal): Promise<void> {
  try {
    await passed(Math.random() * Math.min(PAUSE_MS, 2 ** tries), undefined, { signal })
  } catch {
    throw signal.reason
  }
}

/**
 * Uses a client of the pool. Ends with the signal, whatever the pool, the connection and the server do; the use may go on. One listener for
 * both waits: it is spent on every operation.
 */
export function withClient<T>(pool: PostgresPool, signal: AbortSignal, use: (client: PostgresPoolClient) => Promise<T>): Promise<T> {
  if (signal.aborted) return Promise.reject(signal.reason)
  const { promise, resolve, reject } = Promise.withResolvers<T>()
  let release: ((destroy: boolean) => void) | undefined
  let overdue: NodeJS.Timeout | undefined
  const giveUp = () => {
    reject(signal.reason)
    if (release !== undefined) overdue = setTimeout(release, PATIENCE_MS, true).unref()
  }
  const used = async () => {
    const client = await taken(pool)
    release = (destroy) => {
      release = undefined
      clearTimeout(overdue)
      client.off('error', ignore)
      client.release(destroy)
    }
    if (signal.aborted) {
      release(false)
      throw signal.reason
    }
    try {
      const result = await use(client)
      release?.(false)
      return result
    } catch (error) {
      release?.(isUnusable(error))
      throw error
    }
  }
  signal.addEventListener('abort', giveUp, { once: true })
  used()
    .then(resolve, reject)
    .finally(() => signal.removeEventListener('abort', giveUp))
  return promise
}

/**
 * A client whose connection may end while it is out of the pool, where nobody else listens. By callback: a new connection can end with
 * the very packet that opens it, before a promise would be heard of.
 */
function taken(pool: PostgresPool): Promise<PostgresPoolClient> {
  return new Promise((resolve, reject) => {
    pool.connect((error, client) => {
      if (client === undefined) return reject(error)
      client.on('error', ignore)
      resolve(client)
    })
  })
}

const ignore = (): void => {}
