import { type LedgerToken, remainingSeconds, SAME_TOKEN_LEFT_MS } from './ledger.ts'
import type { Grant, UserLedgerOptions } from './user-ledger.ts'

/** A reply about to be sent, with the history of its credential. */
export interface MintReply {
  readonly token: unknown
  /** Seconds. */
  readonly expire: unknown
  readonly isNew: boolean
  readonly tokenLifeMs: number
  readonly nowMs: number
  /** Oldest first, the minted token included. */
  readonly history: readonly LedgerToken[]
}

/** The simulator itself broke the platform's rules: no result of a test that ran against it can be trusted. */
class LedgerViolation extends Error {
  override readonly name = 'LedgerViolation'
}

/**
 * Holds a mint against the platform's rules, written down a second time and independent of the code that minted:
 * the token is the newest of its credential; `expire` is its true remaining life; an old token comes back only with 30 minutes left; a
 * new one is made only when none such exists; no more tokens live at once than the rules allow. Throws {@link LedgerViolation}.
 */
export function auditMint(reply: MintReply): void {
  const { history, nowMs, tokenLifeMs } = reply
  const token = history.at(-1)
  expect(token !== undefined && token.value === reply.token, 'the token in the reply is not the newest one in the ledger')
  expect(history.filter((entry) => entry.value === token.value).length === 1, 'a token value was minted twice')
  expect(token.mintedAtMs <= nowMs, 'the token was minted in the future')
  expect(
    token.expiresAtMs - token.mintedAtMs === tokenLifeMs,
    `the token lives ${token.expiresAtMs - token.mintedAtMs} ms, not ${tokenLifeMs}`,
  )
  const left = remainingSeconds(token, nowMs)
  expect(reply.expire === left, `expire says ${String(reply.expire)} s, the ledger ${left} s`)
  if (reply.isNew) {
    const earlier = history.slice(0, -1)
    expect(token.mintedAtMs === nowMs, 'a new token was not minted now')
    expect(!earlier.some((entry) => reusable(entry, nowMs)), 'a new token was minted although another has 30 minutes left')
  } else {
    expect(reusable(token, nowMs), 'a token came back that is revoked or has less than 30 minutes left')
  }
  const live = history.filter((entry) => !entry.revocation && entry.expiresAtMs > nowMs).length
  expect(live <= mostLiveTokens(tokenLifeMs), `${live} tokens are live at once, ${mostLiveTokens(tokenLifeMs)} at most can be`)
}

/**
 * Holds a grant to a user against the platform's rules, written down a second time: a refresh token is used up by the refresh that gives
 * the next one, is given out once, and is used when it is the newest of its login and has not expired. Throws {@link LedgerViolation}.
 */
export function auditGrant(
  { accessToken, refreshToken, used, history, atMs }: Grant,
  { accessTokenLifeMs, refreshTokenLifeMs }: Pick<UserLedgerOptions, 'accessTokenLifeMs' | 'refreshTokenLifeMs'>,
): void {
  expect(accessToken.issuedAtMs === atMs && accessToken.expiresAtMs === atMs + accessTokenLifeMs, 'an access token has a wrong life')
  if (refreshToken === undefined) {
    expect(used === undefined && history.length === 0, 'a refresh gave no refresh token')
    return
  }
  expect(refreshToken === history.at(-1), 'the refresh token in the reply is not the newest one of its login')
  expect(refreshToken.issuedAtMs === atMs && refreshToken.expiresAtMs === atMs + refreshTokenLifeMs, 'a refresh token has a wrong life')
  expect(refreshToken.usedAtMs === undefined, 'a refresh token was given out that is used up')
  expect(new Set(history.map(({ value }) => value)).size === history.length, 'a refresh token was given out twice')
  const before = history.slice(0, -1)
  expect(
    before.every(({ usedAtMs }) => usedAtMs !== undefined),
    'two refresh tokens of one login are good at once',
  )
  expect(used === before.at(-1), 'a refresh token was used that was not the newest of its login')
  expect(used === undefined || (used.usedAtMs === atMs && used.expiresAtMs > atMs), 'a refresh token was used after its end')
}

/**
 * How many unrevoked tokens of one credential can live at once: a new one is made at the earliest when the last has just under 30
 * minutes left. Two for a life of an hour or more; without bound for 30 minutes or less, where every mint makes a new one.
 */
export function mostLiveTokens(tokenLifeMs: number): number {
  const shortestGapMs = tokenLifeMs - SAME_TOKEN_LEFT_MS
  return shortestGapMs > 0 ? 1 + Math.ceil(SAME_TOKEN_LEFT_MS / shortestGapMs) : Number.POSITIVE_INFINITY
}

function reusable(token: LedgerToken, nowMs: number): boolean {
  return token.revocation?.next !== 'new' && token.expiresAtMs - nowMs >= SAME_TOKEN_LEFT_MS
}

function expect(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw new LedgerViolation(otherwise)
}
