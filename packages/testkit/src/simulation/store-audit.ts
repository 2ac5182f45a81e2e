import type { Claim, ClaimRequest, Publication, PublishRequest, SettleRequest, Snapshot, TokenStore, Version } from '@tokenwell/core'
import {
  type Change,
  type ContractBranch,
  claimBranch,
  invalidateBranch,
  isChanged,
  publishBranch,
  settleBranch,
} from './contract-branch.ts'
import type { LeaseLog } from './lease-log.ts'

interface Known {
  /** The attempt that was last granted the lease. */
  owner?: string
  /** How that was answered: a claim that is sent again is answered the same. */
  grant?: Pick<Extract<Claim, { kind: 'granted' }>, 'fence' | 'takeover'>
  /** The attempt whose publication was last accepted. */
  publishedBy?: string
  /** The value that is stored, where it is known. */
  value?: string
  /** The highest version that was accepted since the store last lost data. */
  accepted: Version
  /** Operations that were carried out and may be delivered again, each with what it left. */
  readonly done: Set<string>
}

/** What an attempt was granted a lease for. */
interface Grant {
  /** True time, milliseconds. */
  readonly at: number
  /** The claimant knew that this version and those before it are rejected, the store maybe not. */
  readonly rejected: Version
}

/** Why a value was to be replaced: it was due, ended or gone, or rejected before. */
export type Over = 'due' | 'rejected'

/** What there is to be told of a store. */
export interface StoreNews {
  violate(what: string): void
  /** An operation of an attempt, or a rejection of a version, went this way through the contract. */
  took(branch: ContractBranch, key: string, by: string): void
  /** A process sends a value, to be published. */
  sent(key: string, request: PublishRequest, by: string): void
  /**
   * A value has replaced another, or nothing; `over` says why, if there was a reason to. `grantedAt` is
   * when the right to fetch it was granted, true time.
   */
  published(key: string, version: Version, request: PublishRequest, grantedAt: number, over: Over | undefined): void
  /** The value that is stored is called rejected from now on. */
  rejected(key: string, value: string): void
  /** An attempt was granted the lease. */
  granted(attempt: string): void
  /** Something happened to a key that all are told of. */
  stirred(key: string): void
  /** What was acknowledged may be gone: of one key, or of all. */
  lost(key?: string): void
}

/**
 * Watches every operation that the store of a world carries out, in the order in which it does, and holds it against those invariants that
 * are the store's: I2, I3, I6 and I7.
 */
export class StoreAudit {
  readonly #store: TokenStore
  readonly #news: StoreNews
  readonly #leases: LeaseLog
  readonly #known = new Map<string, Known>()
  /** By key: attempts that were ever granted the lease. */
  readonly #grants = new Map<string, Map<string, Grant>>()
  #last: Promise<unknown> = Promise.resolve()
  #changes = 0

  constructor(store: TokenStore, news: StoreNews, leases: LeaseLog) {
    this.#store = store
    this.#news = news
    this.#leases = leases
  }

  /** How often a record was changed; less once that was rolled back. */
  get changes(): number {
    return this.#changes
  }

  /** The store is as it was when there were so many changes. */
  rolledBack(changes: number): void {
    this.#changes = changes
    this.forget()
  }

  /** The store has lost data, of one key or of all: what it had acknowledged it need not know any more. */
  forget(key?: string): void {
    if (key === undefined) this.#known.clear()
    else this.#known.delete(key)
    this.#news.lost(key)
  }

  claim(key: string, attempt: string, { rejected }: ClaimRequest, carryOut: () => Promise<Claim>): Promise<Claim> {
    return this.#watched(key, attempt, carryOut, (answer, known, change) => {
      const branch = claimBranch(answer, change)
      this.#news.took(branch, key, attempt)
      if (answer.kind !== 'granted') return
      if (branch !== 'claim/own-lease') this.#changes += 1
      else if (known.owner === undefined || known.owner === attempt) this.#repeats(attempt, key, answer, known, change)
      else this.#news.violate(`I6: ${attempt} was granted the lease on ${key} while ${known.owner} held it`)
      known.owner = attempt
      known.grant = { fence: answer.fence, takeover: answer.takeover }
      const lease = this.#leases.grant(key, attempt, answer.fence, answer.snapshot.lease?.expiresInMs ?? 0, answer.takeover)
      const grants = this.#grants.get(key) ?? new Map<string, Grant>()
      this.#grants.set(key, grants.set(attempt, { at: lease.grantedAt, rejected }))
      this.#news.granted(attempt)
    })
  }

  publish(
    key: string,
    attempt: string,
    fence: Version,
    request: PublishRequest,
    carryOut: () => Promise<Publication>,
  ): Promise<Publication> {
    return this.#watched(key, attempt, carryOut, ({ kind }, known, change) => {
      const branch = publishBranch(kind, request, change)
      this.#news.took(branch, key, attempt)
      this.#stirs(key, change)
      if (kind !== 'accepted') return
      const grants = this.#grants.get(key)
      const grant = grants?.get(attempt)
      if (grants !== undefined && grant === undefined) this.#news.violate(`${key} was published by ${attempt}, which was never granted it`)
      // An event that is pushed again may carry a new time: then it is another publication, of the same attempt.
      const name = `publish ${attempt} ${fence}`
      const isRepeated = branch === 'publish/repeated'
      if (isRepeated || known.done.has(name)) this.#same(`publication of ${fence} by ${attempt}`, key, change)
      else if (fence <= known.accepted) this.#news.violate(`I3: ${key} took version ${fence} after ${known.accepted}`)
      // One that changed nothing, as its attempt had published under another time, is yet to come.
      if (change.after.version === fence) known.done.add(name)
      const isStored = isRepeated ? known.publishedBy === undefined || known.publishedBy === attempt : change.after.version === fence
      if (!isStored) this.#news.violate(`${attempt} was told that its publication on ${key} was accepted, and it is not stored`)
      if (isRepeated) return
      known.publishedBy = attempt
      known.accepted = Math.max(known.accepted, fence)
      known.value = request.value
      this.#news.published(key, fence, request, grant?.at ?? Number.NEGATIVE_INFINITY, overBy(change.before, grant?.rejected ?? 0))
    })
  }

  settle(key: string, attempt: string, fence: Version, request: SettleRequest, carryOut: () => Promise<Snapshot>): Promise<Snapshot> {
    return this.#watched(key, attempt, carryOut, (_, known, change) => {
      this.#news.took(settleBranch(request, change), key, attempt)
      this.#stirs(key, change)
      const name = `settle ${attempt} ${fence}`
      if (known.done.has(name)) this.#same(`settlement of ${fence}`, key, change)
      known.done.add(name)
    })
  }

  invalidate(key: string, version: Version, carryOut: () => Promise<Snapshot>): Promise<Snapshot> {
    return this.#watched(key, '', carryOut, (_, known, change) => {
      const branch = invalidateBranch(version, change)
      this.#news.took(branch, key, `${version}`)
      this.#stirs(key, change)
      if (branch === 'invalidate/rejected' && known.value !== undefined) this.#news.rejected(key, known.value)
      if (version < change.before.version) this.#same(`rejection of ${version}`, key, change)
    })
  }

  /** One after the other: what a store does with one record is one step. */
  #watched<T>(
    key: string,
    attempt: string,
    carryOut: () => Promise<T>,
    look: (answer: T, known: Known, change: Change) => void,
  ): Promise<T> {
    const looking = this.#last.then(() => this.#carriedOut(key, attempt, carryOut, look))
    this.#last = looking.catch(() => {})
    return looking
  }

  async #carriedOut<T>(
    key: string,
    attempt: string,
    carryOut: () => Promise<T>,
    look: (answer: T, known: Known, change: Change) => void,
  ): Promise<T> {
    const known = this.#known.get(key) ?? { accepted: 0, done: new Set() }
    this.#known.set(key, known)
    const before = await this.#read(key)
    const answer = await carryOut()
    const after = await this.#read(key)
    if (after.version < before.version) this.#news.violate(`I2: ${key} went from version ${before.version} to ${after.version}`)
    const isAnothers = before.lease !== undefined && known.owner !== undefined && known.owner !== attempt
    if (isAnothers && before.lease?.expiresInMs !== after.lease?.expiresInMs) {
      this.#news.violate(`I6: ${attempt || 'a rejection'} changed the lease of ${known.owner} on ${key}`)
    }
    try {
      look(answer, known, { before, after })
    } catch (error) {
      // To whoever has asked it would be a store that is down.
      this.#news.violate(`a check of the store broke: ${String(error)}`)
    }
    return answer
  }

  #stirs(key: string, change: Change): void {
    if (!isChanged(change)) return
    this.#changes += 1
    this.#news.stirred(key)
  }

  #repeats(attempt: string, key: string, { fence, takeover }: Extract<Claim, { kind: 'granted' }>, { grant }: Known, change: Change): void {
    this.#same(`claim by ${attempt}`, key, change)
    if (grant !== undefined && (grant.fence !== fence || grant.takeover !== takeover))
      this.#news.violate(`I7: a repeated claim by ${attempt} on ${key} was answered otherwise`)
  }

  #same(what: string, key: string, change: Change): void {
    if (isChanged(change)) this.#news.violate(`I7: a repeated ${what} changed ${key}`)
  }

  async #read(key: string): Promise<Snapshot> {
    const [snapshot] = await this.#store.read([key], { signal: new AbortController().signal })
    if (snapshot === undefined) throw new Error(`the store says nothing about ${key}`)
    return snapshot
  }
}

/** Why there was a reason to replace what a record held, if there was one: nothing, or what was due or rejected. */
function overBy({ version, renewInMs, rejectedUpTo }: Snapshot, rejected: Version): Over | undefined {
  if (renewInMs <= 0) return 'due'
  return version <= Math.max(rejectedUpTo, rejected) ? 'rejected' : undefined
}
