import type { Claim, Operation, Publication, PublishRequest, Snapshot } from '@tokenwell/core'
import type { Lease } from './lease-log.ts'
import type { SimulatedProcess } from './simulated-process.ts'
import type { Timeline } from './timeline.ts'

const MINUTE_MS = 60_000

/** Claims of one process for one key in any minute for which nothing has changed: with everything wrong it probes and waits, but does not spin. */
const IDLE_CLAIMS_PER_MINUTE = 90
/** All of them: where every token is refused as soon as it is there, a whole fleet changes the record once a second. */
const CLAIMS_PER_MINUTE = 270

/** What is shared lives so long at least, milliseconds: half of the least that a policy may ask for, as some of it may have passed. */
const SHORTEST_LIFE_MS = 7_500

/** Renewals of so many processes, and of half of the fleet, that come of themselves within so long, milliseconds, are no accident. */
const HERD = 4
const HERD_MS = 1
/** For so long after something that all of them may have heard of they may come together, milliseconds. */
const STIRRED_MS = 100

/** Where all wait for the same lease to run out they come within a tenth of a second: so many may do so by chance once in a world. */
const CHANCE = 1

/** A process that is told late of a lease takes so long at most to do something with it, milliseconds. */
const LATE_GRANT_MS = 1_000

/** One key in one life of a process: the attempts of it have the same beginning. */
interface Claimant {
  readonly life: number
  attempt: string
  /** How often the attempt, or its publication, was sent since there was an answer. */
  tries: number
  isUnanswered: boolean
  answer: Claim['kind'] | undefined
  readonly claimedAt: number[]
  /** Those of them before which the record was as it had been at the one before. */
  readonly idlyClaimedAt: number[]
  /** Attempts that were published under or settled. */
  readonly ended: Set<string>
  /** Those of them whose publication nobody has answered, and that were not given back since. */
  readonly unpublished: Set<string>
}

/** One process came for the next token of itself. */
interface Renewal {
  readonly by: string
  readonly at: number
  readonly isAfterLease: boolean
  /** It was one of a herd that has been counted. */
  isToldOf: boolean
}

/** A lease of which its process knows. */
interface HeldLease {
  readonly process: SimulatedProcess
  readonly life: number
  readonly claimant: Claimant
  readonly attempt: string
  readonly knownAt: number
  readonly lease: Lease
}

/**
 * Watches what processes ask of the store, from their side, and holds it to the contract: a claim without an answer is repeated as it was,
 * a lease is published under or given back, one lost message is no store that is down, nobody asks without a pause, what is about to end is
 * not shared, and processes do not come for the next token all at once.
 */
export class OperationAudit {
  readonly #timeline: Timeline
  readonly #violate: (what: string) => void
  /** Whether what is kept under a key is used up by its renewal. */
  readonly #rotates: (key: string) => boolean
  readonly #herd: number
  /** By the beginning of their attempts. */
  readonly #claimants = new Map<string, Claimant>()
  /** By process and key. */
  readonly #latest = new Map<string, Claimant>()
  /** When something last happened to a key that all may have heard of. */
  readonly #stirredAt = new Map<string, number>()
  readonly #renewals = new Map<string, readonly Renewal[]>()
  readonly #held = new Set<HeldLease>()
  #herdsAfterLeases = 0

  constructor(parts: {
    readonly timeline: Timeline
    readonly violate: (what: string) => void
    readonly rotates: (key: string) => boolean
    readonly nodes: number
  }) {
    this.#timeline = parts.timeline
    this.#violate = parts.violate
    this.#rotates = parts.rotates
    this.#herd = Math.max(HERD, Math.ceil(parts.nodes / 2))
  }

  /** @param leaseOf the lease that was granted with a fence */
  async claim(
    process: SimulatedProcess,
    key: string,
    attempt: string,
    { signal }: Operation,
    send: () => Promise<Claim>,
    leaseOf: (fence: number) => Lease | undefined,
  ): Promise<Claim> {
    const claimant = this.#claimant(process, key, attempt)
    if (claimant.isUnanswered && claimant.attempt !== attempt) {
      this.#violate(`${process.name} claims ${key} anew, and may have been granted it already`)
    }
    this.#tries(claimant, attempt)
    // An operation without an answer is sent twice.
    if (claimant.tries % 2 === 1) this.#counts(process, key, claimant)
    const renewal = this.#renewal(process, key, claimant)
    claimant.isUnanswered = true
    let isThere = false
    try {
      const answer = await send()
      // It has been given up, and is sent again.
      if (signal.aborted) return answer
      isThere = answer.kind === 'fresh'
      claimant.isUnanswered = false
      claimant.tries = 0
      claimant.answer = answer.kind
      if (answer.kind === 'granted') this.#awaitEnd(process, key, claimant, attempt, leaseOf(answer.fence))
      return answer
    } finally {
      // Who is told that the next is there already has come to hear of it.
      if (renewal !== undefined && !isThere) this.#comes(key, renewal)
    }
  }

  async publish(
    process: SimulatedProcess,
    key: string,
    attempt: string,
    { expiresInMs }: PublishRequest,
    { signal }: Operation,
    send: () => Promise<Publication>,
  ): Promise<Publication> {
    const claimant = this.#claimant(process, key, attempt)
    const isClaimed = claimant.attempt !== ''
    if (isClaimed && !claimant.ended.has(attempt) && expiresInMs < SHORTEST_LIFE_MS && !this.#rotates(key)) {
      this.#violate(`${process.name} shares ${key} with ${expiresInMs.toFixed(0)} ms to live`)
    }
    claimant.ended.add(attempt)
    claimant.unpublished.add(attempt)
    if (isClaimed) this.#tries(claimant, attempt)
    const answer = await send()
    if (signal.aborted) return answer
    claimant.tries = 0
    claimant.unpublished.delete(attempt)
    return answer
  }

  async settle(process: SimulatedProcess, key: string, attempt: string, send: () => Promise<Snapshot>): Promise<Snapshot> {
    const { ended, unpublished } = this.#claimant(process, key, attempt)
    ended.add(attempt)
    unpublished.delete(attempt)
    return send()
  }

  /** Something has happened to a key that all may have heard of. */
  stirred(key: string): void {
    this.#stirredAt.set(key, this.#timeline.now)
  }

  /** What a process waits for may be there for all at once. */
  blocked(process: SimulatedProcess, key: string): void {
    const claimant = this.#latest.get(`${process.name} ${key}`)
    if (claimant !== undefined) claimant.answer = undefined
  }

  /** A process says that the store does not answer. */
  detached(process: SimulatedProcess, key: string): void {
    const claimant = this.#latest.get(`${process.name} ${key}`)
    if (claimant === undefined || claimant.life !== process.life || claimant.tries !== 1) return
    this.#violate(`${process.name} takes the store for down after one message about ${key}`)
  }

  /** The store has told a process what it has: if that is fresh, it is waited for no more. */
  told(process: SimulatedProcess, { key, version, renewInMs, rejectedUpTo }: Snapshot): void {
    const claimant = this.#latest.get(`${process.name} ${key}`)
    if (claimant !== undefined && renewInMs > 0 && version > rejectedUpTo) claimant.answer = 'fresh'
  }

  /** A process has ended as it should. */
  left(process: SimulatedProcess): void {
    for (const held of this.#held) {
      const { claimant, attempt } = held
      if (held.process !== process || !this.#isGood(held)) continue
      if (!claimant.ended.has(attempt) || claimant.unpublished.has(attempt))
        this.#violate(`${process.name} has left with the lease on ${held.lease.key}`)
    }
  }

  #claimant(process: SimulatedProcess, key: string, attempt: string): Claimant {
    // Of those that are made one by one each is its own.
    const series = /^.+\..+(?=\.\d+$)/.exec(attempt)?.[0]
    const name = series ?? attempt
    const known = this.#claimants.get(name)
    if (known !== undefined) return known
    const claimant: Claimant = {
      life: process.life,
      attempt: '',
      tries: 0,
      isUnanswered: false,
      answer: undefined,
      claimedAt: [],
      idlyClaimedAt: [],
      ended: new Set(),
      unpublished: new Set(),
    }
    this.#claimants.set(name, claimant)
    if (series !== undefined) this.#latest.set(`${process.name} ${key}`, claimant)
    return claimant
  }

  #tries(claimant: Claimant, attempt: string): void {
    claimant.tries = claimant.attempt === attempt ? claimant.tries + 1 : 1
    claimant.attempt = attempt
  }

  #counts(process: SimulatedProcess, key: string, { claimedAt, idlyClaimedAt }: Claimant): void {
    const { now } = this.#timeline
    const before = claimedAt.at(-1)
    const isIdle = before === undefined || (this.#stirredAt.get(key) ?? Number.NEGATIVE_INFINITY) <= before
    const count = countedIn(claimedAt, now)
    if (count === CLAIMS_PER_MINUTE + 1) this.#violate(`${process.name} claims ${key} ${count} times in a minute`)
    if (isIdle && countedIn(idlyClaimedAt, now) === IDLE_CLAIMS_PER_MINUTE + 1) {
      this.#violate(`${process.name} claims ${key} ${idlyClaimedAt.length} times in a minute for nothing new`)
    }
  }

  /** A claim that is made for no reason that others have as well; undefined for any other. */
  #renewal(process: SimulatedProcess, key: string, { answer }: Claimant): Renewal | undefined {
    const { now } = this.#timeline
    // After another's failure all know when to come again.
    if (answer === undefined || answer === 'backoff') return undefined
    if (now - (this.#stirredAt.get(key) ?? Number.NEGATIVE_INFINITY) < STIRRED_MS) return undefined
    return { by: process.name, at: now, isAfterLease: answer === 'held', isToldOf: false }
  }

  /** Answers come in another order than what they answer. */
  #comes(key: string, renewal: Renewal): void {
    const { now } = this.#timeline
    const lately = (this.#renewals.get(key) ?? []).filter(({ at }) => at > now - MINUTE_MS)
    lately.push(renewal)
    this.#renewals.set(key, lately)
    const near = lately.filter(({ at }) => Math.abs(at - renewal.at) <= HERD_MS)
    const herd = near
      .map(({ at: from }) => near.filter(({ at }) => at >= from && at <= from + HERD_MS))
      .find((some) => some.includes(renewal) && new Set(some.map(({ by }) => by)).size >= this.#herd)
    if (herd === undefined) return
    // One more of those who have been found out is no other herd.
    const isToldOf = herd.some((each) => each.isToldOf)
    for (const each of herd) each.isToldOf = true
    if (isToldOf) return
    if (herd.some(({ isAfterLease }) => isAfterLease)) {
      this.#herdsAfterLeases += 1
      if (this.#herdsAfterLeases <= CHANCE) return
    }
    this.#violate(`${this.#herd} processes come for the next ${key} within ${HERD_MS} ms`)
  }

  /**
   * A lease that its process knows of is published under or given back while it lasts. One under which something may have been used up is
   * left to run out; that what was brought by it is shared, the upstream of such a credential knows.
   */
  #awaitEnd(process: SimulatedProcess, key: string, claimant: Claimant, attempt: string, lease: Lease | undefined): void {
    if (lease === undefined || this.#rotates(key)) return
    const { life } = process
    const knownAt = this.#timeline.now
    const held: HeldLease = { process, life, claimant, attempt, knownAt, lease }
    this.#held.add(held)
    this.#timeline.at(Math.max(lease.endsAt, knownAt + LATE_GRANT_MS), () => {
      this.#held.delete(held)
      if (!claimant.ended.has(attempt) && this.#isGood(held))
        this.#violate(`${process.name} neither published ${key} under its lease nor gave it back`)
    })
  }

  /** Its process could end it. */
  #isGood({ process, life, knownAt, lease }: HeldLease): boolean {
    if (lease.isInDoubt || process.life !== life || process.pausedAt >= knownAt) return false
    // A short sleep is not noticed.
    return process.sleptAt < lease.grantedAt
  }
}

/** Adds a moment, and tells how many there were in the minute up to it. */
function countedIn(moments: number[], now: number): number {
  while ((moments[0] ?? now) <= now - MINUTE_MS) moments.shift()
  return moments.push(now)
}
