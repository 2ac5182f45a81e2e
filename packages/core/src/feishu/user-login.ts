import { TokenError } from '../errors.ts'
import { isJsonObject, parseJsonObject } from './raw-body.ts'
import type { GrantedLogin } from './replies.ts'

/** What the record of a user holds. Whoever has it can act as the user. */
export interface UserLogin {
  readonly access: string
  /** Used up by the next refresh. Absent: the user did not grant `offline_access`. */
  readonly refresh?: string
  /** How much longer than the access token the refresh token lives, milliseconds: the store's clock knows when the former ends. */
  readonly outlivesMs: number
  readonly scope?: string
}

/** What is left of a login that was forgotten: nothing. */
export const FORGOTTEN = JSON.stringify({ access: '', outlivesMs: 0 } satisfies UserLogin)

export function encodeLogin({ access, refresh, scope, expiresInMs, refreshExpiresInMs }: GrantedLogin): string {
  const outlivesMs = refresh === undefined ? 0 : refreshExpiresInMs - expiresInMs
  return JSON.stringify({ access, refresh, outlivesMs, scope } satisfies Record<keyof UserLogin, unknown>)
}

/** @throws TokenError `STORE_INCOMPATIBLE` when the record holds something else */
export function decodeLogin(stored: string): UserLogin {
  const fields = parseJsonObject(Buffer.from(stored))
  if (!isJsonObject(fields) || typeof fields.access !== 'string' || typeof fields.outlivesMs !== 'number') {
    const message = 'The record of this user holds something else. Was it written by another version of @tokenwell/core?'
    throw new TokenError('STORE_INCOMPATIBLE', message, { retryable: false })
  }
  const { access, refresh, outlivesMs, scope } = fields
  return {
    access,
    outlivesMs,
    ...(typeof refresh === 'string' ? { refresh } : {}),
    ...(typeof scope === 'string' ? { scope } : {}),
  }
}
