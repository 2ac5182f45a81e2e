import { AssertionError } from 'node:assert'
import { inspect, isDeepStrictEqual } from 'node:util'

/** How much of a long duration a slow machine may use up between two calls, milliseconds. */
const SLACK_MS = 30_000

/** What a store that keeps whole milliseconds may round up. */
const ROUNDING_MS = 1

function fail(what: string, expected: string, actual: unknown): never {
  throw new AssertionError({ message: `${what}: expected ${expected}, got ${show(actual)}` })
}

function show(value: unknown): string {
  const text = inspect(value, { depth: 4, breakLength: Number.POSITIVE_INFINITY })
  return text.length > 300 ? `${text.slice(0, 300)}…` : text
}

export function same<T>(actual: T, expected: T, what: string): void {
  if (!isDeepStrictEqual(actual, expected)) fail(what, show(expected), actual)
}

/** A remaining duration that was `expectedMs` when it was set, a moment ago. */
export function about(actual: number | undefined, expectedMs: number, what: string): void {
  const fits = actual !== undefined && actual <= expectedMs + ROUNDING_MS && actual >= expectedMs - SLACK_MS
  if (!fits) fail(what, `${expectedMs} ms or a little less`, actual)
}

export function above(actual: number, limit: number, what: string): void {
  if (!(actual > limit)) fail(what, `above ${limit}`, actual)
}

export function atMost(actual: number | undefined, limit: number, what: string): void {
  if (!(actual !== undefined && actual <= limit)) fail(what, `at most ${limit}`, actual)
}

/** The promise must be rejected, with `reason` if it is given. */
export async function rejects(promise: Promise<unknown>, what: string, reason?: unknown): Promise<void> {
  const outcome = await promise.then(
    (value) => ({ resolved: true, value }),
    (value) => ({ resolved: false, value }),
  )
  if (outcome.resolved) fail(what, 'a rejection', outcome.value)
  if (reason !== undefined && outcome.value !== reason) fail(what, `a rejection with ${show(reason)}`, outcome.value)
}
