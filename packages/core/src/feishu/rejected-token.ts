import { isJsonObject } from './raw-body.ts'
import { type Condemned, condemns } from './upstream-codes.ts'

/**
 * Whether the outcome of an API call says that its app or tenant token is no longer valid: by the body's code, wherever the client
 * puts the body: the result itself, a thrown error, its `data`, its `response.data`.
 */
export function isRejectedToken(outcome: unknown): boolean {
  return isCondemned(outcome, 'token')
}

/** As {@link isRejectedToken}, for the access token of a user. */
export function isRejectedUserToken(outcome: unknown): boolean {
  return isCondemned(outcome, 'user-token')
}

function isCondemned(outcome: unknown, what: Condemned): boolean {
  return codesOf(outcome, 3).some((code) => condemns(code, what))
}

function codesOf(value: unknown, depth: number): number[] {
  if (!isJsonObject(value) || depth === 0) return []
  const { code, data, response } = value
  // A body that says how it went says it for all that is in it.
  if (typeof code === 'number') return [code]
  return [...codesOf(data, depth - 1), ...codesOf(response, depth - 1)]
}
