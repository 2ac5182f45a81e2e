import { isTokenError, type TokenError } from '../errors.ts'
import { checkFunction, checkInteger, checkObject, describe } from '../options.ts'
import type { TokenHandle } from '../token-handle.ts'
import { aborted } from '../waiters.ts'

export interface WarmOptions {
  /** Tenants fetched at the same time, 1 to 1,000. Default 10. */
  readonly concurrency?: number
  /** Called after every tenant, with figures that only grow. What it throws ends the warming. */
  readonly onProgress?: (progress: WarmProgress) => void
  /** Ends the warming; what was fetched is kept. */
  readonly signal?: AbortSignal
}

export interface WarmProgress {
  readonly total: number
  /** Tenants that are done with, also those that failed. */
  readonly done: number
  readonly failed: number
}

export interface WarmReport {
  readonly total: number
  /** Tenants whose token the fleet had already: no request was made for them by this process. */
  readonly found: number
  /** Tenants whose token was fetched, by this process or by another that did so meanwhile. */
  readonly fetched: number
  readonly failed: readonly { readonly tenantKey: string; readonly error: TokenError }[]
}

const DEFAULT_CONCURRENCY = 10

/** @throws TypeError for an option that is out of range */
export function checkWarm(options: WarmOptions): void {
  checkObject(options, 'warm', ['concurrency', 'onProgress', 'signal'])
  const { concurrency, onProgress, signal } = options
  if (concurrency !== undefined) checkInteger(concurrency, 'concurrency', 1, 1_000)
  if (onProgress !== undefined) checkFunction(onProgress, 'onProgress')
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new TypeError(`signal: expected an AbortSignal, got ${describe(signal)}`)
  }
}

/**
 * Makes tokens ready to be served. What the fleet has is adopted first, in batches; then what is missing is fetched. One tenant that
 * fails does not stop the others.
 *
 * @param adopt brings this process up to date with the store, without a request to the upstream
 */
export async function warm(
  handles: ReadonlyMap<string, TokenHandle>,
  adopt: () => Promise<void>,
  { concurrency = DEFAULT_CONCURRENCY, onProgress, signal }: WarmOptions,
): Promise<WarmReport> {
  if (signal?.aborted) throw aborted(signal.reason)
  await adopt()
  const failed: { tenantKey: string; error: TokenError }[] = []
  const total = handles.size
  let found = 0
  let fetched = 0
  let ended = false
  const next = handles.entries()

  async function work(): Promise<void> {
    for (let entry = next.next(); entry.done !== true && !ended; entry = next.next()) {
      if (signal?.aborted) throw aborted(signal.reason)
      const [tenantKey, handle] = entry.value
      const before = handle.peek()?.version
      try {
        const { version } = await handle.get(signal === undefined ? {} : { signal })
        if (version !== before) fetched += 1
        else found += 1
      } catch (error) {
        if (!isTokenError(error) || error.code === 'ABORTED' || error.code === 'CLOSED') throw error
        failed.push({ tenantKey, error })
      }
      onProgress?.({ total, done: found + fetched + failed.length, failed: failed.length })
    }
  }

  // What ends one of them ends all; those that wait for a token are waited for.
  const working = Array.from({ length: Math.min(concurrency, total) }, () =>
    work().catch((error: unknown) => {
      ended = true
      throw error
    }),
  )
  for (const worker of await Promise.allSettled(working)) if (worker.status === 'rejected') throw worker.reason
  return { total, found, fetched, failed }
}
