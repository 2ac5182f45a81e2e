import { isTokenError } from '@tokenwell/core'
import type { LeaseLog } from './lease-log.ts'
import { recordKey } from './record-key.ts'
import type { SimulatedProcess } from './simulated-process.ts'
import type { Over } from './store-audit.ts'

/** A request for a credential, from its sender's side. */
export interface UpstreamRequest {
  /** The handle's `key`. */
  readonly key: string
  /** The process that sends it, from 0. */
  readonly node: number
  /** It is sent without a lease on the credential. Default false */
  readonly isUnleased?: boolean
  /** It is the second of a fetch, whose first was refused for something that has been renewed since. Default false */
  readonly isSecond?: boolean
  /** Whoever takes over from a holder that vanished sends it no sooner after the grant, milliseconds. Default 0 */
  readonly takeoverDelayMs?: number
  /** Says that its sender has given it up. */
  readonly signal?: AbortSignal
  /** The longest that it may be out, milliseconds. Default: unknown */
  readonly patienceMs?: number
  /** After that, and after its lease, a reply that has come is taken for so long, milliseconds. Default 0 */
  readonly lastCallMs?: number
}

/** One that was sent. Moments are true time, milliseconds. */
interface Sent {
  readonly at: number
  readonly process: SimulatedProcess
  /** In which of its lives it was sent. */
  readonly life: number
  /** Under whose lease. */
  readonly attempt: string | undefined
  /** Its sender has ended, or is about to. */
  isLeft: boolean
  /** The store knows what became of it. */
  isTold: boolean
  /** Nobody waits after it as after a failure. */
  isInconclusive: boolean
  /** The upstream has told its sender to wait until then. */
  notBefore: number
}

const MINUTE_MS = 60_000

/** Core's bound of one request, milliseconds. */
export const REQUEST_TIMEOUT_MS = 7_000

/** What arrives at the same moment is in order. Milliseconds. */
export const SLACK_MS = 5

/**
 * Fetches of one credential in any minute: of a fleet with a store, and of each process without one. Whoever stands still may cost one more, and so does each
 * that was {@link RequestAudit.inconclusive}, or whose sender {@link RequestAudit.ends}.
 */
const PER_MINUTE = 9
const PER_MINUTE_ALONE = 8

/**
 * A success that was due ends a row of failures, and the next one begins with the shortest wait: with two successes in a minute there is room for
 * three rows of seven, whose waits are a quarter of a second, a half and so on to eight at the least.
 */
const PER_SUCCESS = 7

/**
 * What is rejected is replaced so often in a minute at most: every ten seconds where callers report whatever they are given, and where others authorise meanwhile;
 * once more after each renewal, for each loss, and for each process that was without the store, or stood still, and goes by what it knows itself.
 */
const REPLACED_PER_MINUTE = 9

/** For so long after it was last heard of a trouble may still have to do with a request, milliseconds. */
const AFTERMATH_MS = 3 * MINUTE_MS

/**
 * Holds the requests for credentials against I1 and I10, and each against the lease that its sender goes by: it leaves and ends within it.
 * Processes that could not reach the store count for themselves for a while, and a store that has forgotten what it knew, or had its clock
 * set, begins to count anew.
 */
export class RequestAudit {
  readonly #now: () => number
  readonly #note: (line: string) => void
  readonly #violate: (what: string) => void
  readonly #leases: LeaseLog
  readonly #process: (node: number) => SimulatedProcess
  /** By the handle's key: the first request of each fetch. */
  readonly #sent = new Map<string, Sent[]>()
  /** By the handle's key: those that still wait for their reply. */
  readonly #open = new Map<string, Set<Sent>>()
  /** Nothing has gone wrong yet that could have two processes ask at once. */
  readonly #isOrderly: () => boolean
  #count = 0
  /** By process: when it was without the store. */
  readonly #alone = new Map<number, number[]>()
  readonly #forgotten: { readonly at: number; readonly key: string | undefined }[] = []
  /** By process: when it stood still. */
  readonly #stopped = new Map<number, number[]>()
  /** By the store's key. */
  readonly #published = new Map<string, number[]>()
  /** By the store's key: when what was due or rejected was replaced. */
  readonly #succeeded = new Map<string, number[]>()
  /** By the store's key: when the store had another of those that were rejected. */
  readonly #replaced = new Map<string, number[]>()

  constructor(parts: {
    readonly now: () => number
    readonly note: (line: string) => void
    readonly violate: (what: string) => void
    readonly leases: LeaseLog
    readonly process: (node: number) => SimulatedProcess
    readonly isOrderly: () => boolean
  }) {
    this.#now = parts.now
    this.#note = parts.note
    this.#violate = parts.violate
    this.#leases = parts.leases
    this.#process = parts.process
    this.#isOrderly = parts.isOrderly
  }

  get count(): number {
    return this.#count
  }

  async send<T>(
    { key, node, isUnleased = false, isSecond = false, takeoverDelayMs = 0, signal, patienceMs, lastCallMs = 0 }: UpstreamRequest,
    send: () => Promise<T>,
  ): Promise<T> {
    const process = this.#process(node)
    const { life } = process
    const lease = this.#leases.of(node, recordKey(key))
    const outcome = { isLeft: false, isTold: false, isInconclusive: false, notBefore: Number.NEGATIVE_INFINITY }
    const before = this.#last(node, key)
    const sent: Sent = { at: this.#now(), process, life, attempt: lease?.attempt, ...outcome }
    this.#count += 1
    this.#note(`n${node} asks for ${key}`)
    // Another may have been luckier since; and what a process knows of times it doubts once it has slept, or its clock was set.
    const isDoubted = before !== undefined && Math.max(process.sleptAt, process.wallSetAt) >= before.at
    const isEarly = before?.life === life && sent.at < before.notBefore - SLACK_MS && !isDoubted
    if (isEarly && !this.#isSucceededSince(recordKey(key), before.at))
      this.#violate(`n${node} asked for ${key} ${(before.notBefore - sent.at).toFixed(0)} ms before the upstream had told it to`)
    if (!isSecond) this.#fetches(key, sent)
    const open = this.#open.get(key) ?? new Set()
    this.#open.set(key, open)
    // Who has died waits for nothing.
    for (const other of open) if (other.process.life !== other.life) open.delete(other)
    if (open.size > 0 && this.#isOrderly()) this.#violate(`I1: ${key} was asked for twice at once, with nothing wrong`)
    open.add(sent)
    // A process that slept takes a lease for longer than it is, unless it slept long enough to notice.
    const isLeaseOver = (graceMs: number) =>
      lease !== undefined && !lease.isInDoubt && this.#now() > lease.endsAt + graceMs && process.sleptAt <= lease.grantedAt
    if (lease !== undefined && isLeaseOver(SLACK_MS)) {
      this.#violate(`n${node} asked for ${key} ${(sent.at - lease.endsAt).toFixed(0)} ms after its lease had ended`)
    }
    if (lease?.isTakeover === true && this.#now() < lease.grantedAt + takeoverDelayMs) {
      this.#violate(`n${node} took ${key} over after ${(sent.at - lease.grantedAt).toFixed(0)} ms`)
    }
    if (!isUnleased && !this.#leases.isGoverned(node, recordKey(key)))
      this.#violate(`n${node} asked for ${key} without ever having been granted a lease`)
    let isOver = false
    const over = () => {
      open.delete(sent)
      if (isOver || life !== process.life || process.pausedAt >= sent.at) return
      isOver = true
      const outMs = this.#now() - sent.at
      const graceMs = lastCallMs + SLACK_MS
      if (isLeaseOver(graceMs)) this.#violate(`n${node} still waited for ${key} when its lease had ended`)
      if (patienceMs !== undefined && outMs > patienceMs + graceMs) {
        this.#violate(`n${node} waited ${outMs.toFixed(0)} ms for ${key}, its bound being ${patienceMs} ms`)
      }
    }
    signal?.addEventListener('abort', over, { once: true })
    try {
      return await send()
    } catch (error) {
      if (isTokenError(error) && signal?.aborted !== true) sent.notBefore = this.#now() + (error.retryAfterMs ?? 0)
      throw error
    } finally {
      if (signal?.aborted !== true) over()
      signal?.removeEventListener('abort', over)
    }
  }

  /** A process is without the store. */
  alone(node: number): void {
    add(this.#alone, node, this.#now())
  }

  /** A process stands still, and with it what others should have been told. */
  stops(node: number): void {
    add(this.#stopped, node, this.#now())
  }

  /**
   * The last request of a process for a key is no failure that others would wait after: what became of it nobody knows, and its lease is let run out;
   * or it was refused for something else, which is waited for.
   */
  inconclusive(node: number, key: string): void {
    const last = this.#last(node, key)
    if (last !== undefined) last.isInconclusive = true
  }

  /** The store knows what became of the request that was sent under a lease. @param key the handle's */
  told(key: string, attempt: string): void {
    const sent = this.#sent.get(key)?.findLast((each) => each.attempt === attempt)
    if (sent !== undefined) sent.isTold = true
  }

  /** A process ends: what became of its last requests nobody will know, unless it tells. */
  ends(node: number): void {
    const { life } = this.#process(node)
    for (const key of this.#sent.keys()) {
      const last = this.#last(node, key)
      if (last?.life === life) last.isLeft = true
    }
  }

  /** Another token than before is there for everybody. */
  published(key: string): void {
    add(this.#published, key, this.#now())
  }

  /** What was due, rejected or lost has been replaced, though it may be by the same value: failures are counted anew. @param key the store's */
  succeeded(key: string): void {
    add(this.#succeeded, key, this.#now())
  }

  /** The store has another token in the place of what was due or lost, or of what was rejected before. @param key the store's */
  replaced(key: string, over: Over): void {
    this.succeeded(key)
    if (over !== 'rejected') return
    add(this.#replaced, key, this.#now())
    const times = this.#timesInAMinute(this.#replaced, key)
    if (times <= REPLACED_PER_MINUTE) return
    const due = this.#timesInAMinute(this.#succeeded, key) - times
    const bound = REPLACED_PER_MINUTE + due + this.#losses(key) + this.#recently(this.#alone) + this.#recently(this.#stopped)
    if (times > bound) this.#violate(`I10: ${key} was replaced ${times} times in a minute; at most ${bound}`)
  }

  /** When the first token was there for everybody that was no earlier than `since`. @param key the store's */
  publishedSince(key: string, since: number): number | undefined {
    return this.#published.get(key)?.find((moment) => moment >= since)
  }

  #isSucceededSince(record: string, since: number): boolean {
    return (this.#succeeded.get(record) ?? []).some((moment) => moment >= since)
  }

  /** How often another token than before has come since `since`. @param key the store's */
  publicationsSince(key: string, since: number): number {
    return (this.#published.get(key) ?? []).filter((moment) => moment >= since).length
  }

  /** The store knows nothing of the last requests, or takes them for long gone. @param key the store's; without it, of any credential */
  forgot(key?: string): void {
    this.#forgotten.push({ at: this.#now(), key })
  }

  #last(node: number, key: string): Sent | undefined {
    const process = this.#process(node)
    return this.#sent.get(key)?.findLast((sent) => sent.process === process)
  }

  #fetches(key: string, sent: Sent): void {
    const all = this.#sent.get(key) ?? []
    this.#sent.set(key, all)
    all.push(sent)
    const now = this.#now()
    const inAMinute = countSince(all, now - MINUTE_MS)
    if (inAMinute <= PER_MINUTE) return
    const record = recordKey(key)
    const inconclusive = all.slice(-inAMinute).filter(({ isLeft, isTold, isInconclusive }) => isInconclusive || (isLeft && !isTold)).length
    const ofFleet = PER_MINUTE * (1 + this.#losses(record)) + PER_SUCCESS * this.#timesInAMinute(this.#succeeded, record) + inconclusive
    const bound = ofFleet + PER_MINUTE_ALONE * this.#recently(this.#alone) + this.#recently(this.#stopped)
    if (inAMinute > bound) this.#violate(`I10: ${key} was fetched ${inAMinute} times in a minute; at most ${bound}`)
  }

  #timesInAMinute(moments: ReadonlyMap<string, readonly number[]>, record: string): number {
    const since = this.#now() - MINUTE_MS
    return (moments.get(record) ?? []).filter((moment) => moment > since).length
  }

  /** How often the store has lost lately what it knew of a key of its own. */
  #losses(record: string): number {
    return this.#forgotten.filter(({ at, key }) => this.#isRecent(at) && (key ?? record) === record).length
  }

  /** To how many processes something happened lately. */
  #recently(moments: ReadonlyMap<number, readonly number[]>): number {
    return [...moments.values()].filter((each) => each.some((moment) => this.#isRecent(moment))).length
  }

  #isRecent(moment: number): boolean {
    return moment > this.#now() - MINUTE_MS - AFTERMATH_MS
  }
}

function countSince(sent: readonly Sent[], moment: number): number {
  let count = 0
  while (count < sent.length && (sent[sent.length - 1 - count]?.at ?? 0) > moment) count += 1
  return count
}

function add<Key>(to: Map<Key, number[]>, key: Key, at: number): void {
  const moments = to.get(key) ?? []
  moments.push(at)
  to.set(key, moments)
}
