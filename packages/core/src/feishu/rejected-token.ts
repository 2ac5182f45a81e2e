import { isJsonObject } from './raw-body.ts'
import { type Condemned, condemns } from './upstream-codes.ts'

/**
 * Whether the outcome of an API call says that its app or tenant token is no longer valid: by the body's code, wherever the client
 * puts the body: the result itself, a thrown error, its `data`, its `response.data`.
 *
 * @throws TypeError for a reply that nobody has read: only its body could say so
 */
export function isRejectedToken(outcome: unknown): boolean {
  return isCondemned(outcome, 'token')
}

/** As {@link isRejectedToken}, for the access token of a user. */
export function isRejectedUserToken(outcome: unknown): boolean {
  return isCondemned(outcome, 'user-token')
}

function isCondemned(outcome: unknown, what: Condemned): boolean {
  refuseUnread(outcome)
  return codesOf(outcome, 3).some((code) => condemns(code, what))
}

/** A reply of `fetch`, whoever's it is, or of undici's `request`, whose body nobody has read, and now nobody will. */
function refuseUnread(outcome: unknown): void {
  // What the call has thrown is for its caller, whatever it holds.
  if (!isJsonObject(outcome) || outcome instanceof Error) return
  const { body } = outcome
  if (!isJsonObject(body) || (outcome.bodyUsed ?? body.bodyUsed) !== false) return
  // Its connection is not to wait for that.
  const letGo = body.cancel ?? body.dump
  if (typeof letGo === 'function') Promise.resolve(letGo.call(body)).catch(() => {})
  throw new TypeError(
    'use(): expected what was read of the reply, such as (await fetch(…)).json(), got a reply that nobody has read: only its body says whether the token was refused. Or call feishuFetch().',
  )
}

function codesOf(value: unknown, depth: number): number[] {
  if (!isJsonObject(value) || depth === 0) return []
  const { code, data, response } = value
  // A body that says how it went says it for all that is in it.
  if (typeof code === 'number') return [code]
  return [...codesOf(data, depth - 1), ...codesOf(response, depth - 1)]
}
