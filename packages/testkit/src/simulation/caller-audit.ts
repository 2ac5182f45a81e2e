import { isTokenError, type Snapshot, type Token, type TokenErrorCode, type TokenEvent } from '@tokenwell/core'
import type { Drift } from './life-log.ts'
import { recordKey } from './record-key.ts'
import { SLACK_MS } from './request-audit.ts'
import type { PlayedCredential } from './scenario.ts'
import type { SimulatedProcess } from './simulated-process.ts'

/**
 * With more life left than this in a token that is at hand, nobody waits for a newer one, milliseconds. With less a caller may, and may learn
 * meanwhile that it is rejected.
 */
const FLOOR_MS = 60_000
/** With any life left nobody waits longer than this for a newer one, milliseconds. */
const LINGER_MS = 1_000
/** The store counts a life from the grant, at most a lease before the token came: its end may turn out to be so much earlier, milliseconds. */
const EARLIER_MS = 12_000
/** With nothing wrong, a caller is served so soon after somebody has published what it waits for, milliseconds. */
const HEARD_MS = 25
/** A sleep that is shorter is not noticed by the clocks, milliseconds; and one before the token came, one after. */
const UNNOTICED_SLEEP_MS = 10_000
/** For so long after a token was given out again its rejection may change nothing, milliseconds: the upstream has vouched for it. */
const VOUCHED_MS = 4 * 60_000
/** Whoever waits so long is served while nothing is wrong, milliseconds. */
const PATIENT_MS = 15_000
/** What callers are told with nothing wrong: who a ticket has not been pushed to yet, and who is to authorise. */
const EXPECTED: ReadonlySet<TokenErrorCode> = new Set<TokenErrorCode>(['TICKET_UNAVAILABLE', 'REAUTHORIZATION_REQUIRED'])
/** So many waits in a row without a fraction are no accident. */
const WAITS = 6
const WHOLE_MS = 500

/** What a caller came with. */
export interface Caller {
  readonly credential: PlayedCredential
  readonly askedAt: number
  readonly boundMs: number
  readonly minLifeMs: number
  /** What was at hand when it came. */
  readonly held: Token | undefined
  readonly served: number
  readonly rejected: number
  readonly reported: ReadonlyMap<string, number>
}

/** What the world knows that a process does not. Moments are true time, milliseconds. */
export interface Circumstances {
  readonly now: () => number
  /** What became of the end of a version that the store has taken, as its clock was set; undefined for one that it has not. */
  readonly drift: (key: string, version: number) => Drift | undefined
  /** When any process last slept. */
  readonly sleptAt: () => number
  /** Nothing has gone wrong yet. */
  readonly isCalm: () => boolean
  /** The store was told that this value is rejected. */
  readonly isRejected: (key: string, value: string) => boolean
  /** The upstream has vouched for what is stored: its rejection changes nothing for now. */
  readonly isQuiet: (key: string) => boolean
  /** When a token came that was there for everybody, no earlier than `since`. */
  readonly publishedSince: (key: string, since: number) => number | undefined
}

/** What the store has told a process of the versions that are rejected. */
interface Told {
  readonly rejectedUpTo: number
  readonly at: number
  /** What it had told before. */
  readonly before: number
}

/** A token as callers were first given it. */
interface Shown {
  readonly version: number
  /** A store that was rolled back may give a version again to something else. */
  readonly value: string
  readonly expiresAt: number
  readonly at: number
}

/** What is known of one credential in one life of a process. */
interface Known {
  shown: Shown | undefined
  /** The highest version that callers were given. */
  served: number
  /** The highest that the process itself says is rejected. */
  rejected: number
  /** The one that the process has last gone over to. */
  newest: number
  /** Values that were reported, and whose report was taken; with when the upstream had last given them out. */
  reported: ReadonlyMap<string, number>
  /** When it may have set out to fetch the next one, and when it set out for what it fetched last. */
  begunAt: number | undefined
  fetchedFrom: number | undefined
  /** When the process itself has fetched a token that it may still serve. */
  fetchedAt: number | undefined
  /** What it needs did not come in time: that is told to callers who have just come, too. */
  isWaitedFor: boolean
  /** It goes by its own reports: the store does not answer. */
  isAlone: boolean
  /** When it last said that its clocks disagree. */
  doubtedAt: number
}

/**
 * Watches what the callers of a process are given, in one of its lives: I4, I5 and I8, that nobody waits who need not, that no token is
 * believed to live longer than it does, and that a report has an effect.
 */
export class CallerAudit {
  readonly #process: SimulatedProcess
  readonly #circumstances: Circumstances
  readonly #violate: (what: string) => void
  readonly #callers = new Set<Caller>()
  /** By the store's key. */
  readonly #known = new Map<string, Known>()
  /** By the store's key. */
  readonly #told = new Map<string, Told>()
  #disturbedAt = Number.NEGATIVE_INFINITY
  #isClosing = false
  #waits = 0
  #wholeWaits = 0

  constructor(process: SimulatedProcess, circumstances: Circumstances, violate: (what: string) => void) {
    this.#process = process
    this.#circumstances = circumstances
    this.#violate = (what) => violate(`${process.name}: ${what}`)
  }

  /** Callers that were not answered yet. */
  get waiting(): number {
    return this.#callers.size
  }

  /** What was asked before may be answered late: the process was frozen, or its clocks were set. */
  disturb(): void {
    this.#disturbedAt = this.#circumstances.now()
  }

  /** The process was told to end. */
  closes(): void {
    this.#isClosing = true
  }

  /** Whoever still waits, and should not, waits for ever. */
  checkOpen(): void {
    for (const caller of this.#callers) this.#checkBound(caller, 'has not been answered')
  }

  /** Somebody comes. @param boundMs how long they wait */
  comes(credential: PlayedCredential, boundMs: number, minLifeMs: number): Caller {
    const { key } = credential.handle
    const { served, rejected, reported } = this.#of(key)
    const caller: Caller = {
      credential,
      askedAt: this.#circumstances.now(),
      boundMs,
      minLifeMs,
      held: minLifeMs === 0 ? credential.handle.peek() : undefined,
      served,
      rejected,
      reported,
    }
    this.#callers.add(caller)
    return caller
  }

  /** A caller is given a token. @returns its version, if none was given before that was as new */
  given(caller: Caller, token: Token): number | undefined {
    this.#answered(caller)
    const { credential } = caller
    const { name, handle } = credential
    const { value, version } = token
    if (version < caller.served) this.#violate(`I5: ${name} ${version} was served after ${caller.served}`)
    if (version <= Math.max(caller.rejected, this.#toldOf(handle.key)))
      this.#violate(`I5: ${name} ${version} was served and known to be rejected`)
    if (caller.reported.has(value) && caller.reported.get(value) === credential.givenOut?.(value)?.at)
      this.#violate(`I5: ${name} ${version} was served although its value was reported`)
    switch (credential.worth(value)) {
      case 'unknown':
        this.#violate(`${name} ${version} was served, which nobody gave out`)
        break
      case 'ended': {
        const laterMs = this.#laterMs(credential, token)
        const overMs = this.#circumstances.now() - (credential.givenOut?.(value)?.endsAt ?? Number.NEGATIVE_INFINITY)
        // What the store gave to its life it is served for.
        if (laterMs === 0 || overMs > laterMs + SLACK_MS) this.#violate(`I5: ${name} ${version} was served after its end`)
      }
    }
    this.#checkShown(credential, token)
    const known = this.#of(handle.key)
    if (version <= known.served) return undefined
    known.served = version
    this.#checkEnd(credential, token)
    return version
  }

  /** A caller is told that there is none. */
  failed(caller: Caller, error: unknown): void {
    this.#answered(caller)
    const { credential, askedAt, boundMs, minLifeMs } = caller
    const { name, handle } = credential
    const { now, isCalm } = this.#circumstances
    if (!isTokenError(error)) {
      this.#violate(`a caller got ${String(error)}`)
      return
    }
    const { code } = error
    if (code === 'STORE_INCOMPATIBLE') this.#violate('a store that keeps the contract is called incompatible')
    if (code === 'CLOSED') {
      if (!this.#isClosing) this.#violate(`a caller of ${name} was told that a manager is closed which is not`)
      return
    }
    // Who leaves is told so at once, whatever there is.
    if (code === 'ABORTED' || minLifeMs > 0 || this.#isDisturbed(caller)) return
    const { fetchedAt, isWaitedFor } = this.#of(handle.key)
    if (fetchedAt !== undefined && fetchedAt >= askedAt) {
      this.#violate(`a caller of ${name} was turned away, although the process has just fetched it`)
    }
    if ((this.#leftOf(caller) ?? 0) > 0) this.#violate(`a caller of ${name} was turned away with ${caller.held?.version} at hand: ${code}`)
    if (code === 'TIMEOUT' && !isWaitedFor && now() - askedAt < boundMs - SLACK_MS) {
      this.#violate(`a caller of ${name} was told after ${(now() - askedAt).toFixed(0)} ms that its bound of ${boundMs} ms had passed`)
    }
    const isExpected = EXPECTED.has(code) || (code === 'TIMEOUT' && boundMs < PATIENT_MS)
    if (isCalm() && !isExpected) this.#violate(`a caller of ${name} was turned away with nothing wrong: ${code}`)
  }

  /** A caller reports a token: what is given again after `taken` resolves is held against it. */
  reports(credential: PlayedCredential, { value }: Token, taken: Promise<void>): void {
    const { rotates, handle } = credential
    const known = credential.givenOut?.(value)
    const { now } = this.#circumstances
    // What others have published of it meanwhile it does not know.
    if (this.#of(handle.key).isAlone || this.#circumstances.isQuiet(handle.key)) return
    if (known === undefined || ((known.times > 1 || rotates === true) && now() < known.at + VOUCHED_MS)) return
    void taken.then(() => {
      if (credential.givenOut?.(value)?.at !== known.at) return
      const state = this.#of(handle.key)
      state.reported = new Map([...state.reported, [value, known.at]])
    })
  }

  /** A caller who only looked found nothing. */
  leaves(caller: Caller): void {
    this.#callers.delete(caller)
  }

  /** The store has told the process this: whoever comes from now on is not given what it calls rejected. */
  told({ key, version, rejectedUpTo }: Snapshot): void {
    const known = this.#known.get(key)
    // What it fetched for itself the store has by now, or something newer.
    if (known !== undefined && version >= Math.max(1, known.served)) known.isAlone = false
    const before = this.#told.get(key)?.rejectedUpTo ?? 0
    if (rejectedUpTo > before) this.#told.set(key, { rejectedUpTo, at: this.#circumstances.now(), before })
  }

  noted(event: TokenEvent): void {
    if (event.type === 'detached' && event.failure.code === 'STORE_INCOMPATIBLE') {
      this.#violate('a store that keeps the contract is called incompatible')
    }
    const known = this.#of(event.key)
    if (event.type === 'renewed' || event.type === 'adopted') {
      if (event.version < known.newest) this.#violate(`I5: it went from ${known.newest} of ${event.key} back to ${event.version}`)
      known.newest = event.version
      known.isWaitedFor = false
    }
    if (event.type === 'granted' || event.type === 'detached') known.begunAt = this.#circumstances.now()
    if (event.type === 'renewed') known.fetchedFrom = known.begunAt
    if (event.type === 'blocked' || event.type === 'backoff') known.isWaitedFor ||= event.failure.code === 'TIMEOUT'
    switch (event.type) {
      case 'doubted': {
        // A sleep or a step of the clock is good for one doubt, and for whatever else comes in that moment: the read that it brings settles it.
        const { sleptAt, wallSetAt } = this.#process
        const happenedAt = Math.max(sleptAt, wallSetAt)
        if (happenedAt <= known.doubtedAt && this.#circumstances.now() > happenedAt + SLACK_MS) {
          this.#violate(`it doubts its clocks about ${event.key}, to which nothing has happened`)
        }
        known.doubtedAt = this.#circumstances.now()
        break
      }
      case 'detached':
        known.isAlone = true
        break
      case 'granted':
      case 'held':
      case 'adopted':
        known.isAlone = false
        break
      case 'renewed':
        known.fetchedAt = event.lifeMs > FLOOR_MS ? this.#circumstances.now() : undefined
        break
      case 'rejected':
        known.rejected = Math.max(known.rejected, event.version)
        known.fetchedAt = undefined
        break
      case 'backoff':
        if (!event.shared) this.#waited(event.retryInMs)
    }
  }

  /** What the store had told it before this very moment. */
  #toldOf(key: string): number {
    const told = this.#told.get(recordKey(key))
    if (told === undefined) return 0
    return told.at < this.#circumstances.now() ? told.rejectedUpTo : told.before
  }

  /** @param handleKey the handle's */
  #of(handleKey: string): Known {
    const key = recordKey(handleKey)
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const none: Known = {
      shown: undefined,
      served: 0,
      rejected: 0,
      newest: 0,
      reported: new Map(),
      begunAt: undefined,
      fetchedFrom: undefined,
      fetchedAt: undefined,
      isWaitedFor: false,
      isAlone: false,
      doubtedAt: Number.NEGATIVE_INFINITY,
    }
    this.#known.set(key, none)
    return none
  }

  #answered(caller: Caller): void {
    const { credential, askedAt } = caller
    const { name, handle } = credential
    if (!this.#callers.delete(caller)) this.#violate(`I8: a caller of ${name} was answered twice`)
    this.#checkBound(caller, 'was answered')
    if (this.#isDisturbed(caller)) return
    const { now, isCalm, publishedSince } = this.#circumstances
    const waitedMs = now() - askedAt
    const publishedAt = isCalm() ? publishedSince(handle.key, askedAt) : undefined
    if (publishedAt !== undefined && now() > publishedAt + HEARD_MS) {
      this.#violate(`a caller of ${name} heard ${(now() - publishedAt).toFixed(0)} ms late of what had been published`)
    }
    const leftMs = this.#leftOf(caller)
    if (leftMs === undefined) return
    if ((leftMs + waitedMs > FLOOR_MS && waitedMs > SLACK_MS) || (leftMs > 0 && waitedMs > LINGER_MS + SLACK_MS)) {
      this.#violate(`a caller of ${name} waited ${waitedMs.toFixed(0)} ms with ${caller.held?.version} at hand`)
    }
  }

  /** Time that a process stands still is no part of a wait; its timers go on from there. */
  #checkBound({ credential: { name }, askedAt, boundMs }: Caller, what: string): void {
    const { now } = this.#circumstances
    const waitedMs = now() - Math.max(askedAt, this.#disturbedAt, this.#process.pausedAt)
    if (waitedMs <= boundMs + SLACK_MS) return
    this.#violate(`I4: a caller of ${name} ${what} ${waitedMs.toFixed(0)} ms after it came, its bound being ${boundMs} ms`)
  }

  #isDisturbed({ askedAt }: Caller): boolean {
    return Math.max(this.#disturbedAt, this.#process.pausedAt) >= askedAt
  }

  /** How long what was at hand may be served yet, at the least, milliseconds; undefined where that cannot be said. */
  #leftOf({ credential, askedAt, held }: Caller): number | undefined {
    const { handle } = credential
    // The store is asked what a doubt is worth.
    if (this.#of(handle.key).doubtedAt >= askedAt) return undefined
    if (
      held === undefined ||
      held.version <= Math.max(this.#of(handle.key).rejected, this.#told.get(recordKey(handle.key))?.rejectedUpTo ?? 0)
    ) {
      return undefined
    }
    // It may have learned of that while the caller waited.
    if (this.#circumstances.isRejected(handle.key, held.value)) return undefined
    const { since, earlierMs } = this.#drift(credential, held)
    // What was fetched over a sleep ends earlier by as much in the store.
    if (since <= this.#process.sleptAt) return undefined
    // It may have learned meanwhile that the store's clock was set forward.
    return held.expiresAt - EARLIER_MS - earlierMs - this.#process.clock.wall()
  }

  /** The end of a version that a process has told its callers only ever moves earlier, and is the end. */
  #checkShown(credential: PlayedCredential, token: Token): void {
    const { name, handle } = credential
    const { version, value, expiresAt } = token
    const { clock, wallSetAt, sleptAt } = this.#process
    const known = this.#of(handle.key)
    const { shown } = known
    const now = this.#circumstances.now()
    // By another clock it is told anew; and of the time that a machine sleeps only the store knows, whose own clock may have been set back.
    const isNew = shown?.version !== version || shown.value !== value
    // What is too little to be noticed stays: the end is told as it was, and a little off.
    const slackMs = this.#drift(credential, token).since <= Math.max(wallSetAt, sleptAt) ? UNNOTICED_SLEEP_MS : SLACK_MS
    if (clock.wall() > expiresAt + slackMs) this.#violate(`I5: ${name} ${version} was served after the end that is told of it`)
    if (isNew || shown.at <= Math.max(wallSetAt, sleptAt)) {
      known.shown = { version, value, expiresAt, at: now }
      return
    }
    if (expiresAt > shown.expiresAt + SLACK_MS) {
      this.#violate(`I5: the end of ${name} ${version} was put off by ${(expiresAt - shown.expiresAt).toFixed(0)} ms`)
    }
  }

  #checkEnd(credential: PlayedCredential, token: Token): void {
    const { value, version, expiresAt } = token
    const { now } = this.#circumstances
    const { clock, wallSetAt, sleptAt } = this.#process
    const known = credential.givenOut?.(value)
    if (known === undefined) return
    const { since } = this.#drift(credential, token)
    // Its end is told by the wall clock of when it came.
    if (since <= wallSetAt) return
    const slackMs = this.#laterMs(credential, token) + (since <= sleptAt ? UNNOTICED_SLEEP_MS : SLACK_MS)
    const tooLongMs = expiresAt - clock.wall() - (known.endsAt - now())
    if (tooLongMs > slackMs)
      this.#violate(`${credential.name} ${version} is believed to live ${tooLongMs.toFixed(0)} ms longer than it does`)
  }

  /**
   * By how much a token may be believed to live longer than it does: by what the store's clock was set back, and by a sleep that was too short
   * for its clocks to tell of whoever fetched it without the store and shared it afterwards.
   */
  #laterMs(credential: PlayedCredential, token: Token): number {
    // The same may have been given to somebody else since.
    const { at, firstAt = at } = credential.givenOut?.(token.value) ?? { at: Number.NEGATIVE_INFINITY }
    const { since, laterMs } = this.#drift(credential, token)
    return laterMs + (Math.min(firstAt, since) <= this.#circumstances.sleptAt() ? UNNOTICED_SLEEP_MS : 0)
  }

  /** Of what no store has taken: the upstream has the only clock that it went by. It may have given the same to somebody else since. */
  #drift({ handle, givenOut }: PlayedCredential, { value, version }: Token): Drift {
    const at = givenOut?.(value)?.at ?? Number.NEGATIVE_INFINITY
    const since = Math.min(at, this.#of(handle.key).fetchedFrom ?? at)
    return this.#circumstances.drift(recordKey(handle.key), version) ?? { since, laterMs: 0, earlierMs: 0 }
  }

  /** Processes that fail together are to come back one by one: each draws its waits. */
  #waited(waitMs: number): void {
    this.#waits += 1
    if (waitMs % WHOLE_MS === 0) this.#wholeWaits += 1
    if (this.#waits === WAITS && this.#wholeWaits === WAITS) this.#violate('waits after failures are not drawn')
  }
}
