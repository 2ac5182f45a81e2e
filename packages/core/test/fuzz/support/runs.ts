import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect } from 'vitest'
import { record } from '../../../../../tools/leak-search/index.ts'
import { isTokenError, type TokenError } from '../../../src/errors.ts'

const NIGHTLY = process.env.TOKENWELL_NIGHTLY === undefined ? 1 : 50

/** The inputs of a property: as many as given, the same each time; every night fifty times as many, and others each night. */
export function runs(usually: number): { readonly numRuns: number; readonly seed?: number } {
  return NIGHTLY === 1 ? { numRuns: usually, seed: 20_260_101 } : { numRuns: usually * NIGHTLY }
}

/** The time that a test may take at the nightly size, milliseconds. */
export const PATIENCE_MS = 60_000 * NIGHTLY

const shown = new Set<string>()
/** The transcript is for kinds of errors, not for each of a hundred thousand. */
const MOST_SHOWN = 500

/**
 * All that a user gets to see of an error, checked: it is one of this package, its message is no longer than a few lines, and neither it
 * nor any cause quotes one of the secrets.
 */
export function expectHarmless(error: unknown, secrets: readonly string[]): TokenError {
  if (!isTokenError(error)) throw new Error('something else than a TokenError came out', { cause: error })
  const seen = [error.message, error.stack, JSON.stringify(error.upstream), ...causesOf(error.cause)].join('\n')
  for (const secret of secrets) if (seen.includes(secret)) throw new Error(`a secret came out: ${error.code}`)
  expect(error.message.length).toBeLessThan(2_000)
  if (error.retryAfterMs !== undefined) {
    expect(error.retryAfterMs).toBeGreaterThanOrEqual(0)
    expect(Number.isFinite(error.retryAfterMs)).toBe(true)
  }
  if (shown.size < MOST_SHOWN && !shown.has(error.message)) {
    shown.add(error.message)
    record('error', error)
  }
  return error
}

function causesOf(cause: unknown): string[] {
  if (!(cause instanceof Error)) return []
  return [String(cause.message), String(cause.stack), ...causesOf(cause.cause)]
}

/** The least of several goes, milliseconds of the processor: what the work takes, however many others want it. */
function least(work: () => unknown): number {
  let least = Number.POSITIVE_INFINITY
  for (let go = 0; go < 3; go += 1) {
    const before = process.cpuUsage()
    work()
    const { user, system } = process.cpuUsage(before)
    least = Math.min(least, (user + system) / 1_000)
  }
  return least
}

/**
 * Four times the input takes about four times as long, and not sixteen times: measured side by side, with room for the garbage of others, and
 * tried again before it counts.
 */
export function expectLinear(prepare: (size: number) => () => unknown, size: number): void {
  const ratios: number[] = []
  for (let go = 0; go < 4; go += 1) {
    const [small, large] = [least(prepare(size)), least(prepare(4 * size))]
    // Nothing that is over so soon keeps a process from its work.
    if (large < 10 || large / small < 9) return
    ratios.push(large / small)
  }
  throw new Error(`four times the input takes ${ratios.map((ratio) => ratio.toFixed(1)).join(', ')} times as long`)
}

/** Unhandled rejections from now on; the function it returns stops listening and returns them. */
export function watchRejections(): () => unknown[] {
  const unhandled: unknown[] = []
  const remember = (reason: unknown) => void unhandled.push(reason)
  process.on('unhandledRejection', remember)
  return () => {
    process.off('unhandledRejection', remember)
    return unhandled
  }
}

/** Collects all garbage there is, so that what is left is what is kept. */
export function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  for (let round = 0; round < 3; round += 1) collect()
}
