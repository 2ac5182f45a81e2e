/**
 * The contract between Tokenwell and the place where a fleet keeps its shared records.
 *
 * A store keeps one record per key: the published value, the lease to fetch the next one, and the backoff after a failed fetch.
 * Everything that must be compared lives in that one record, so each operation is a single atomic step, one round trip,
 * and harmless when it is delivered twice or late. Policy lives in core; a store only compares and writes.
 *
 * Only durations cross the contract. The store's clock is the one shared clock; a node turns a remaining duration into a deadline on
 * its own clock, counted from the moment it sent the request. A store keeps every deadline together with its length and treats one
 * that is further away than its length as passed: otherwise a clock stepped back an hour blocks everybody for an hour.
 *
 * Each moment of a record comes from the store's clock, in microseconds since the Unix epoch, and so do fences: the two are compared. An
 * operation that waits for a lock reads the clock once it has it. `docs/WRITING-A-STORE.md` of the repository says what that takes.
 *
 * The record: `fence` last granted · `version` fence of the published value, 0 for none · `publishedBy` attempt that published it ·
 * `value` · `renewAt` · `expiresAt` · `rejectedUpTo` · `quietUntil` · `owner` attempt, `leaseFence`, `leaseUntil`, `takeover` ·
 * `retryAt`, `failure`, `failures`, `config`.
 *
 * @module
 */

/**
 * Order of grants, in microseconds of the store's clock since the Unix epoch where possible: a safe integer, 0 for "nothing". Up to
 * 2^53 - 1 each is told from its neighbours. What would go beyond is refused: the operation rejects and changes nothing.
 */
export type Version = number

/**
 * What a record says at one moment. Every duration is in milliseconds, which may have fractions, counted by the store's clock when it
 * answered. A deadline that is further away than its length has passed: its duration is 0 or less. Of a key that has no record: version,
 * durations and `rejectedUpTo` are 0, and nothing else is there.
 */
export interface Snapshot {
  /** The key that was asked for: the answer is not believed otherwise. */
  readonly key: string
  /** Version of the published value; 0 when nothing was ever published. */
  readonly version: Version
  /** The published value, present whenever `version` > 0, also when it is expired or rejected: the caller decides what it is still good for. */
  readonly value?: string
  /** Milliseconds until the value should be renewed; zero or negative once it is due. */
  readonly renewInMs: number
  /** Milliseconds until the value ends; zero or negative once it has. */
  readonly expiresInMs: number
  /** Every version up to and including this one is rejected. 0 when none is. */
  readonly rejectedUpTo: Version
  /** Present while somebody holds a live lease. `expiresInMs` > 0. */
  readonly lease?: { readonly expiresInMs: number }
  /**
   * Present from a shared failure until the next accepted publication, also after the retry is due (`retryInMs` ≤ 0):
   * the next failure's exponent needs the count. `failure` is opaque to the store.
   */
  readonly backoff?: { readonly retryInMs: number; readonly failure: string; readonly failures: number }
}

/**
 * Every operation carries the caller's deadline as a signal. When it is aborted the operation rejects at once, with its reason: nobody
 * waits for the answer any more. What was sent may still happen, later; what was not is not sent.
 */
export interface Operation {
  readonly signal: AbortSignal
}

export interface ClaimRequest {
  /** Length of the lease to grant, milliseconds, > 0. */
  readonly leaseMs: number
  /** The highest version this process has returned; a value below it is not fresh. */
  readonly seen: Version
  /** The highest version this process knows to be rejected or ended; a value up to it is not fresh. */
  readonly rejected: Version
  /** Digest of the caller's configuration, 1 to 100 ASCII characters. A backoff written under another does not hold this caller back. */
  readonly config?: string
}

/**
 * Answer to a claim.
 * - `fresh`: the record holds a usable value that is not due for renewal. Its end is not looked at.
 * - `held`: another attempt holds a live lease.
 * - `backoff`: a shared failure says to wait `snapshot.backoff.retryInMs`.
 * - `granted`: the caller holds the lease. `snapshot.lease` says how long. `takeover` is true when the previous lease ended without being
 *   released, so that its holder may have died between its request and its publication: the record keeps the owner of a lease that has
 *   ended until it is released or another is granted. `takeover` is kept, too: a claim sent again answers the same.
 */
export type Claim =
  | { readonly kind: 'fresh' | 'held' | 'backoff'; readonly snapshot: Snapshot }
  | { readonly kind: 'granted'; readonly fence: Version; readonly takeover: boolean; readonly snapshot: Snapshot }

export interface PublishRequest {
  readonly value: string
  /** Milliseconds until renewal is due, counted from the grant: `min(now, the fence's time) + renewInMs`. */
  readonly renewInMs: number
  /** Milliseconds until the value ends, counted from the grant: `min(now, the fence's time) + expiresInMs`. */
  readonly expiresInMs: number
  /** The version the value was derived from. A record with a newer one supersedes this publication. */
  readonly basedOn?: Version
  /** For this many milliseconds after acceptance, invalidating this version changes nothing: it has come in place of a rejected one. */
  readonly quietMs?: number
  /** Refuse a fence that is further ahead of the store's clock than this, milliseconds. */
  readonly maxAheadMs?: number
}

/**
 * Answer to a publication.
 * - `accepted`: the record now holds this value, or this same attempt had published it before and nothing changed.
 * - `superseded`: the record holds a version that is not older.
 * - `refused`: the fence is further ahead of the store's clock than `maxAheadMs`.
 */
export interface Publication {
  readonly kind: 'accepted' | 'superseded' | 'refused'
  readonly snapshot: Snapshot
}

export interface SettleRequest {
  /** 0 releases the lease; more also shares a failure and asks everybody to wait this many milliseconds. */
  readonly backoffMs: number
  /** What failed, opaque to the store, no longer than a value; kept with the backoff. Left out it is told as `''`. */
  readonly failure?: string
  /** Digest of the configuration that failed; see {@link ClaimRequest.config}. */
  readonly config?: string
}

/**
 * A hint that a record may have changed. Hints may be lost, doubled or reordered; `gap` says that some may have been lost.
 * Nothing depends on them but speed.
 */
export type StoreChange = { readonly kind: 'changed'; readonly key: string; readonly version: Version } | { readonly kind: 'gap' }

/**
 * Where a fleet keeps its shared records. Implementations are proven with `describeTokenStore` from `@tokenwell/testkit`.
 *
 * An operation that cannot be carried out rejects with any error; core turns it into a `STORE_UNAVAILABLE` with that error as its cause, so
 * it must hold no value: drivers put statements and parameters into theirs. Core sends an operation that failed once more. A store may
 * do so, too, as long as the signal allows: each is harmless twice.
 * One whose signal is aborted already rejects with the signal's reason and does nothing. Core uses an attempt for one claim and what
 * follows from it, and never again.
 * Keys have up to 1,000 characters (UTF-16 code units, so up to 3,000 bytes of UTF-8), values up to 64 KiB (65,536 bytes) of UTF-8, attempts
 * 1 to 100 ASCII characters. All text is well-formed Unicode without U+0000, and otherwise anything. Two texts are the same if all
 * their code points are: case, accents and a space at the end count.
 *
 * A store may forget a record once its last write, whose moment it must keep for that, and its end both lie 30 days back, not sooner: a value
 * can hold the secret that renews it, which outlives it, and a forgotten rejection or fence is a step back for whoever still holds the
 * token.
 */
export interface TokenStore {
  readonly contractVersion: 1
  readonly capabilities: {
    /** Other processes can see the records. */
    readonly shared: boolean
    /** Records outlive the processes that wrote them. */
    readonly durable: boolean
    /** `subscribe` exists and reports changes made by others. */
    readonly push: boolean
  }

  /**
   * Snapshots of several records, up to some hundreds, in the order asked for: one for each key, also for one asked for twice. None for no
   * keys. Each is of one moment; together they need not be. Never waits for a writer; never changes a record.
   */
  read(keys: readonly string[], operation: Operation): Promise<Snapshot[]>

  /**
   * Acquires the lease if the record is stale. Tests in this order:
   * 1. the same attempt's own live lease → `granted` again, same fence, not extended;
   * 2. a fresh value (`renewInMs` > 0, `version` ≥ `seen`, `version` > max(`rejectedUpTo`, `rejected`)) → `fresh`;
   * 3. a backoff in force whose `config` equals the caller's, or either is absent → `backoff`;
   * 4. another's live lease → `held`;
   * 5. else a grant. The fence is the larger of max(last fence, `seen`, `rejected`) + 1 and the store's clock in microseconds:
   *    the clock alone repeats after a step back, a counter alone repeats after a failover that lost writes. The backoff stays as it is.
   */
  claim(key: string, attempt: string, request: ClaimRequest, operation: Operation): Promise<Claim>

  /**
   * Stores a value if it is newer than the stored one. The lease need not be held any more: late but newest is accepted.
   * Tests in this order:
   * 1. this attempt published the stored value → `accepted`, and nothing changes;
   * 2. `basedOn` given and the stored version is above it → `superseded`;
   * 3. the fence is not above the stored version → `superseded`;
   * 4. `maxAheadMs` given and the fence is further ahead of the store's clock → `refused`;
   * 5. else `accepted`: value, version and deadlines are written, `quietUntil` is set or cleared, the backoff is cleared, `fence` is
   *    raised to this one, and the change is announced. `rejectedUpTo` stays: a value may be born rejected.
   *
   * Accepted (5) and superseded release the lease if this attempt owns it, also one that has run out: its holder is alive. The first test
   * and `refused` leave it alone. The fence is a positive safe integer: with any other the operation rejects.
   */
  publish(key: string, attempt: string, fence: Version, request: PublishRequest, operation: Operation): Promise<Publication>

  /**
   * Releases a lease, and with `backoffMs` > 0 counts and shares a failure; with 0 the last backoff stays as it is. Changes the record
   * only if this attempt owns the lease, with this fence, and the lease is alive; then it is announced.
   */
  settle(key: string, attempt: string, fence: Version, request: SettleRequest, operation: Operation): Promise<Snapshot>

  /**
   * Rejects a version. Changes nothing when `version` is below the stored one, or equals it within its quiet time, or is rejected already.
   * Else `rejectedUpTo` becomes max(`version`, last granted fence), because a fetch in flight may bring the same dead value,
   * `fence` is raised to it, and the change is announced. A live lease is left alone.
   */
  invalidate(key: string, version: Version, operation: Operation): Promise<Snapshot>

  /** Reports changes until the returned function is called. Resolves once changes made from now on are reported. */
  subscribe?(listener: (change: StoreChange) => void): Promise<() => Promise<void>>

  /** Releases the store's own resources, never the client it was given. Safe to call more than once. Operations afterwards may reject. */
  close(): Promise<void>
}
