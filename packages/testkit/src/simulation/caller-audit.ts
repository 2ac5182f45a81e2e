import { isTokenError, type Snapshot, type Token, type TokenEvent } from '@tokenwell/core'
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
  readonly disturbances: number
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

/** What is known of one credential in one life of a process. */
interface Known {
  /** The highest version that callers were given. */
  served: number
  /** The highest that the process itself says is rejected. */
  rejected: number
  /** The one that the process has last gone over to. */
  newest: number
  /** Values that were reported, and whose report was taken; with when the upstream had last given them out. */
  reported: ReadonlyMap<string, number>
  /** When the process itself has fetched a token that it may still serve. */
  fetchedAt: number | undefined
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
  /** By the credential's key. */
  readonly #known = new Map<string, Known>()
  /** By the store's key: the highest version of which the store has told the process that it is rejected. */
  readonly #told = new Map<string, number>()
  #disturbances = 0
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
    this.#disturbances += 1
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
      rejected: Math.max(rejected, this.#told.get(recordKey(key)) ?? 0),
      reported,
      disturbances: this.#disturbances,
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
    if (version <= caller.rejected) this.#violate(`I5: ${name} ${version} was served and known to be rejected`)
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
    const known = this.#of(handle.key)
    if (version <= known.served) return undefined
    known.served = version
    this.#checkEnd(credential, token)
    return version
  }

  /** A caller is told that there is none. */
  failed(caller: Caller, error: unknown): void {
    this.#answered(caller)
    const { name, handle } = caller.credential
    if (!isTokenError(error)) this.#violate(`a caller got ${String(error)}`)
    else if (error.code === 'STORE_INCOMPATIBLE') this.#violate('a store that keeps the contract is called incompatible')
    if (caller.minLifeMs > 0 || caller.disturbances !== this.#disturbances) return
    const { fetchedAt } = this.#of(handle.key)
    if (fetchedAt !== undefined && fetchedAt >= caller.askedAt) {
      this.#violate(`a caller of ${name} was turned away, although the process has just fetched it`)
    }
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
  told({ key, rejectedUpTo }: Snapshot): void {
    if (rejectedUpTo > (this.#told.get(key) ?? 0)) this.#told.set(key, rejectedUpTo)
  }

  noted(event: TokenEvent): void {
    if (event.type === 'detached' && event.failure.code === 'STORE_INCOMPATIBLE') {
      this.#violate('a store that keeps the contract is called incompatible')
    }
    const known = this.#of(event.key)
    if (event.type === 'renewed' || event.type === 'adopted') {
      if (event.version < known.newest) this.#violate(`I5: it went from ${known.newest} of ${event.key} back to ${event.version}`)
      known.newest = event.version
    }
    switch (event.type) {
      case 'doubted': {
        // A sleep or a step of the clock is good for one doubt: the read that it brings settles it.
        const { sleptAt, wallSetAt } = this.#process
        if (Math.max(sleptAt, wallSetAt) <= known.doubtedAt) {
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

  #of(key: string): Known {
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const none: Known = {
      served: 0,
      rejected: 0,
      newest: 0,
      reported: new Map(),
      fetchedAt: undefined,
      isAlone: false,
      doubtedAt: Number.NEGATIVE_INFINITY,
    }
    this.#known.set(key, none)
    return none
  }

  #answered(caller: Caller): void {
    const { credential, askedAt, boundMs, held } = caller
    const { name, handle } = credential
    if (!this.#callers.delete(caller)) this.#violate(`I8: a caller of ${name} was answered twice`)
    if (caller.disturbances !== this.#disturbances) return
    const { now, isCalm, isRejected, publishedSince } = this.#circumstances
    const waitedMs = now() - askedAt
    if (waitedMs > boundMs + SLACK_MS) {
      this.#violate(`I4: a caller of ${name} was answered ${waitedMs.toFixed(0)} ms after it came, its bound being ${boundMs} ms`)
    }
    const publishedAt = isCalm() ? publishedSince(handle.key, askedAt) : undefined
    if (publishedAt !== undefined && now() > publishedAt + HEARD_MS) {
      this.#violate(`a caller of ${name} heard ${(now() - publishedAt).toFixed(0)} ms late of what had been published`)
    }
    if (held === undefined || held.version <= this.#of(handle.key).rejected) return
    // It may have learned of that while the caller waited.
    if (isRejected(handle.key, held.value)) return
    const { since, earlierMs } = this.#drift(credential, held)
    // What was fetched over a sleep ends earlier by as much in the store.
    if (since <= this.#process.sleptAt) return
    // It may have learned meanwhile that the store's clock was set forward.
    const leftMs = held.expiresAt - EARLIER_MS - earlierMs - this.#process.clock.wall()
    if ((leftMs + waitedMs > FLOOR_MS && waitedMs > SLACK_MS) || (leftMs > 0 && waitedMs > LINGER_MS + SLACK_MS)) {
      this.#violate(`a caller of ${name} waited ${waitedMs.toFixed(0)} ms with ${held.version} at hand`)
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
    const at = credential.givenOut?.(token.value)?.at ?? Number.NEGATIVE_INFINITY
    const { since, laterMs } = this.#drift(credential, token)
    return laterMs + (Math.min(at, since) <= this.#circumstances.sleptAt() ? UNNOTICED_SLEEP_MS : 0)
  }

  /** Of what no store has taken: the upstream has the only clock that it went by. */
  #drift({ handle, givenOut }: PlayedCredential, { value, version }: Token): Drift {
    const at = givenOut?.(value)?.at ?? Number.NEGATIVE_INFINITY
    return this.#circumstances.drift(recordKey(handle.key), version) ?? { since: at, laterMs: 0, earlierMs: 0 }
  }

  /** Processes that fail together are to come back one by one: each draws its waits. */
  #waited(waitMs: number): void {
    this.#waits += 1
    if (waitMs % WHOLE_MS === 0) this.#wholeWaits += 1
    if (this.#waits === WAITS && this.#wholeWaits === WAITS) this.#violate('waits after failures are not drawn')
  }
}
