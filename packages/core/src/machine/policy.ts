/** How one credential is renewed and how failures are spaced. Every field is in milliseconds. */
export interface Policy {
  /** Renewal begins inside this last part of a token's life, and never in its first half. */
  readonly renewWindowMs: number
  /**
   * The renewal point is drawn from the first `renewJitterMs` of the window, so that many keys do not fall due together. Where half a life is
   * shorter than the window, this is shorter in proportion.
   */
  readonly renewJitterMs: number
  /** With less life left than this a caller waits briefly for the next token before it gets the old one. */
  readonly floorMs: number
  /** A token that lives shorter than this when it arrives is not shared. */
  readonly minimumLifeMs: number
  /** Hard bound of one fetch. The lease is derived from it and outlasts it. */
  readonly requestTimeoutMs: number
  /** Ceiling of the wait after a first failure; it doubles with each further one. */
  readonly backoffBaseMs: number
  /** Ceiling that the doubling stops at. */
  readonly backoffCapMs: number
  /** Wait after a failure that no retry can help. */
  readonly fatalBackoffMs: number
}

/**
 * For a credential whose every fetch uses up a secret that the last one brought, such as a refresh token: what is lost then is lost for
 * good. In milliseconds, as the rest.
 */
export interface RotatingPolicy extends Policy {
  /**
   * Whoever takes over from a holder that vanished waits this long before looking again at the record. Only if nothing has come is the same
   * secret used once more.
   */
  readonly takeoverDelayMs: number
}

export function rotates(policy: Policy): policy is RotatingPolicy {
  return 'takeoverDelayMs' in policy
}

export const defaultPolicy: Policy = {
  renewWindowMs: 10 * 60_000,
  renewJitterMs: 3 * 60_000,
  floorMs: 60_000,
  minimumLifeMs: 30_000,
  requestTimeoutMs: 7_000,
  backoffBaseMs: 500,
  backoffCapMs: 60_000,
  fatalBackoffMs: 5 * 60_000,
}

/** Spread of the renewals of a token that all have from the store, so that a fleet does not come back in one instant. */
export const RENEWAL_SPREAD_MS = 5_000
/** How long a caller below the floor waits for something newer. */
export const LINGER_MS = 1_000
/** How long an upstream's word for a value that was rejected holds. */
export const QUIET_MS = 60_000
/**
 * What replaces a rejected value is not rejected for so long, though it be another: where each request brings a new one, a caller that reports whatever it is given
 * would have each replaced.
 */
export const NEW_QUIET_MS = 10_000
/** The longest wait an upstream may ask for. */
const LONGEST_RETRY_AFTER_MS = 60 * 60_000
/**
 * After the deadline of a fetch that cannot be repeated, a reply that has reached this process is still taken: a process that was stopped
 * wakes up to its timers first.
 */
export const LAST_CALL_MS = 1_000
/** How long an unattended renewal waits for what it depends on. */
export const DEPENDENCY_MS = 15_000

const LEASE_MARGIN_SHARE = 0.1
const LEASE_MARGIN_MIN_MS = 500

/** The lower ones keep any policy to nine requests a minute, whatever fails. */
const bounds: { readonly [Name in keyof Policy]: readonly [min: number, max: number] } = {
  renewWindowMs: [1_000, 30 * 24 * 3_600_000],
  renewJitterMs: [0, 30 * 24 * 3_600_000],
  floorMs: [0, 24 * 3_600_000],
  minimumLifeMs: [15_000, 24 * 3_600_000],
  requestTimeoutMs: [100, 10 * 60_000],
  backoffBaseMs: [500, 10 * 60_000],
  backoffCapMs: [30_000, 24 * 3_600_000],
  fatalBackoffMs: [10_000, 24 * 3_600_000],
}

/**
 * Completes and checks a policy. `where` is the option's path, for messages.
 * @throws TypeError for a value out of range and for pairs that contradict each other or would loop.
 */
export function checkPolicy(given: Partial<Policy> | undefined, defaults: Policy, where: string): Policy {
  if (given === undefined) return defaults
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new TypeError(`${where}: expected an object, got ${given === null ? 'null' : Array.isArray(given) ? 'an array' : typeof given}`)
  }
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(bounds, name)) throw new TypeError(`${where}.${name}: no such option; it takes ${Object.keys(bounds).join(', ')}`)
  }
  const set = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  const policy: Policy = { ...defaults, ...set }
  for (const [name, [min, max]] of Object.entries(bounds) as [keyof Policy, readonly [number, number]][]) {
    const value: unknown = policy[name]
    if (typeof value !== 'number' || !(value >= min && value <= max)) {
      throw new TypeError(`${where}.${name}: expected milliseconds from ${min} to ${max}, got ${String(value)}`)
    }
  }
  refuse(policy.renewJitterMs > policy.renewWindowMs / 2, 'renewJitterMs', 'half of renewWindowMs', policy.renewWindowMs / 2)
  refuse(
    policy.floorMs > policy.renewWindowMs - policy.renewJitterMs,
    'floorMs',
    'renewWindowMs - renewJitterMs',
    policy.renewWindowMs - policy.renewJitterMs,
  )
  refuse(policy.backoffBaseMs > policy.backoffCapMs, 'backoffBaseMs', 'backoffCapMs', policy.backoffCapMs)
  return policy

  function refuse(wrong: boolean, name: keyof Policy, limit: string, limitMs: number): void {
    if (wrong) throw new TypeError(`${where}.${name}: ${policy[name]} contradicts ${limit} (${limitMs}): it may be at most that`)
  }
}

/**
 * The largest `minLifeMs` a caller may ask for: a token with less than this left is due for renewal whatever jitter it drew, if it lives for
 * two windows.
 */
export function longestMinLifeMs(policy: Policy): number {
  return policy.renewWindowMs - policy.renewJitterMs
}

/** Length of a lease such that its deadline, margin taken off, is no earlier than the request's own, waiting before it included. */
export function leaseMs(policy: Policy): number {
  const heldMs = policy.requestTimeoutMs + (rotates(policy) ? policy.takeoverDelayMs : 0)
  return Math.ceil(Math.max(heldMs / (1 - LEASE_MARGIN_SHARE), heldMs + LEASE_MARGIN_MIN_MS)) + 200
}

/** The moment after which a holder must not have a request out: the lease's end less a margin of 10 %, at least 500 ms. */
export function fetchDeadline(claimSentAt: number, leaseExpiresInMs: number): number {
  return claimSentAt + leaseExpiresInMs - Math.max(leaseExpiresInMs * LEASE_MARGIN_SHARE, LEASE_MARGIN_MIN_MS)
}

/**
 * Milliseconds until a token that lives `lifeMs` is due. Half its life at least, so that a life shorter than the window does not make it
 * due on arrival: of a life shorter than two windows the window is the second half, and the jitter shrinks with it. Without a jitter many
 * short-lived tokens that were fetched together would be fetched together for ever.
 */
export function renewInMs(lifeMs: number, chance: number, policy: Policy): number {
  const windowMs = Math.min(policy.renewWindowMs, lifeMs / 2)
  const jitterMs = policy.renewJitterMs * (windowMs / policy.renewWindowMs)
  return lifeMs - windowMs + chance * jitterMs
}

export interface FailureKind {
  readonly retryable: boolean
  readonly retryAfterMs?: number
}

/**
 * Milliseconds to wait after the `failures`-th failure in a row (1 = the first).
 *
 * Full jitter between the previous step's ceiling and this one's: drawing from zero would let a fleet's unlucky streak break any bound
 * on requests per minute. What the upstream asks for is a lower bound; jitter goes on top, so that the fleet does not return as one.
 */
export function backoffMs(failures: number, chance: number, failure: FailureKind, policy: Policy): number {
  const ceiling = Math.min(policy.backoffCapMs, policy.backoffBaseMs * 2 ** Math.min(failures - 1, 40))
  const own = failure.retryable ? ceiling * (0.5 + chance / 2) : policy.fatalBackoffMs * (1 + chance / 10)
  // A user's own error may carry anything.
  const { retryAfterMs = 0 } = failure
  const asked = retryAfterMs > 0 ? Math.min(retryAfterMs, LONGEST_RETRY_AFTER_MS) : 0
  return Math.ceil(Math.max(own, asked * (1 + chance / 10)))
}
