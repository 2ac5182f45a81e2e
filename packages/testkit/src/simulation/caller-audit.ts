import { isTokenError, type Snapshot, type Token, type TokenEvent } from '@tokenwell/core'
import type { Circumstances } from './circumstances.ts'
import { alwaysMsOf, CORE_POLICY, mostEarlierMs, policyOf } from './core-policy.ts'
import { EndAudit } from './end-audit.ts'
import { handleKey, recordKey } from './record-key.ts'
import { SLACK_MS } from './request-audit.ts'
import type { PlayedCredential } from './scenario.ts'
import type { SimulatedProcess } from './simulated-process.ts'

/** With any life left nobody waits longer than this for a newer one, milliseconds. */
const LINGER_MS = 1_000
/** For so long after a token was given out again its rejection may change nothing, milliseconds: the upstream has vouched for it. */
const VOUCHED_MS = 4 * 60_000
/** Whoever waits so long is served while nothing is wrong, milliseconds. */
const PATIENT_MS = 15_000
/** So many waits in a row without a fraction are no accident. */
const WAITS = 6
const WHOLE_MS = 500

/** What a caller came with. */
export interface Caller {
  readonly credential: PlayedCredential
  readonly askedAt: number
  /** How long it waits, and by when it must have been answered: later, if it had something else to do first. Milliseconds */
  readonly patienceMs: number
  readonly boundMs: number
  /** The life that the token must have, milliseconds; 0 for any. */
  readonly minLifeMs: number
  /** What was at hand when it came, and it would take. */
  readonly held: Token | undefined
  readonly served: number
  readonly rejected: number
  readonly reported: ReadonlyMap<string, number>
}

/** What the store has told a process of the versions that are rejected. */
interface Told {
  readonly rejectedUpTo: number
  readonly at: number
  /** What it had told before. */
  readonly before: number
}

/** What is known of one credential in one life of a process. */
interface Known {
  /** The store's key. */
  readonly record: string
  /** The highest version that callers were given. */
  served: number
  /** The highest that the process itself says is rejected. */
  rejected: number
  /** The one that the process has last gone over to. */
  newest: number
  told: Told
  /** Values that were reported, and whose report was taken; with when the upstream had last given them out. */
  reported: ReadonlyMap<string, number>
  /** The token that the process itself has fetched and may still serve: when, and until when; true time, milliseconds. */
  fetched: { readonly at: number; readonly endsAt: number } | undefined
  /** What it needs did not come in time: that is told to callers who have just come, too. */
  isWaitedFor: boolean
  /** It goes by its own reports: the store does not answer. */
  isAlone: boolean
  /** When it last said that its clocks disagree. */
  doubtedAt: number
}

/**
 * Watches what the callers of a process are given, in one of its lives: I4, I5 and I8, that nobody waits who need not, and that a report has
 * an effect.
 */
export class CallerAudit {
  readonly #process: SimulatedProcess
  readonly #circumstances: Circumstances
  readonly #violate: (what: string) => void
  readonly #callers = new Set<Caller>()
  readonly #ends: EndAudit
  /** By the handle's key. */
  readonly #known = new Map<string, Known>()
  #disturbedAt = Number.NEGATIVE_INFINITY
  #isClosing = false
  #waits = 0
  #wholeWaits = 0

  constructor(process: SimulatedProcess, circumstances: Circumstances, violate: (what: string) => void) {
    this.#process = process
    this.#circumstances = circumstances
    this.#violate = (what) => violate(`${process.name}: ${what}`)
    this.#ends = new EndAudit(process, circumstances, this.#violate)
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

  /** Somebody comes, and takes what is at hand if it lives for so long. */
  comes(credential: PlayedCredential, patienceMs: number, minLifeMs = 0): Caller {
    return this.#comes({ credential, patienceMs, boundMs: patienceMs, minLifeMs, held: credential.handle.peek() })
  }

  /** Somebody only looks, or comes for another token than what is at hand, and may take so long to say that it is to be another. */
  comesForAnother(credential: PlayedCredential, patienceMs: number, reportingMs = 0): Caller {
    return this.#comes({ credential, patienceMs, boundMs: patienceMs + reportingMs, minLifeMs: 0, held: undefined })
  }

  /** A caller is given a token. @returns its version, if none was given before that was as new */
  given(caller: Caller, token: Token): number | undefined {
    this.#answered(caller)
    const { credential } = caller
    const { name, handle } = credential
    const { value, version } = token
    const leftMs = token.expiresAt - this.#process.clock.wall()
    if (caller.minLifeMs > 0 && leftMs < caller.minLifeMs - SLACK_MS && !this.#isDisturbed(caller))
      this.#violate(`a caller of ${name} who asked for ${caller.minLifeMs} ms was given a token that lives for ${leftMs.toFixed(0)} ms`)
    if (version < caller.served) this.#violate(`I5: ${name} ${version} was served after ${caller.served}`)
    if (version <= Math.max(caller.rejected, this.#toldOf(handle.key)))
      this.#violate(`I5: ${name} ${version} was served and known to be rejected`)
    const isReported = caller.reported.has(value) && caller.reported.get(value) === credential.givenOut?.(value)?.at
    if (isReported && !this.#circumstances.isForgotten(this.#of(handle.key).record, version))
      this.#violate(`I5: ${name} ${version} was served although its value was reported`)
    const worth = credential.worth(value)
    if (worth === 'unknown') this.#violate(`${name} ${version} was served, which nobody gave out`)
    const known = this.#of(handle.key)
    const isFirst = version > known.served
    this.#ends.given(credential, token, { over: worth === 'ended', first: isFirst })
    if (!isFirst) return undefined
    known.served = version
    return version
  }

  /** A caller is told that there is none. */
  failed(caller: Caller, error: unknown): void {
    this.#answered(caller)
    const { credential, askedAt, patienceMs, minLifeMs } = caller
    const { name, handle } = credential
    const { now, isWell, isWellBesidesStore } = this.#circumstances
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
    if (code === 'ABORTED' || this.#isDisturbed(caller)) return
    const { fetched, isWaitedFor } = this.#of(handle.key)
    if (fetched !== undefined && fetched.at >= askedAt && fetched.endsAt - now() > minLifeMs) {
      this.#violate(`a caller of ${name} was turned away, although the process has just fetched it`)
    }
    if ((this.#leftOf(caller) ?? 0) > minLifeMs)
      this.#violate(`a caller of ${name} was turned away with ${caller.held?.version} at hand: ${code}`)
    if (code === 'TIMEOUT' && !isWaitedFor && now() - askedAt < patienceMs - SLACK_MS) {
      this.#violate(`a caller of ${name} was told after ${(now() - askedAt).toFixed(0)} ms that its bound of ${patienceMs} ms had passed`)
    }
    const isImpatient = code === 'TIMEOUT' && patienceMs < PATIENT_MS
    const asksForMore = code === 'LIFE_TOO_SHORT' && minLifeMs > alwaysMsOf(credential)
    if (isWell() && !isImpatient && !asksForMore && credential.isOut?.(code) !== true)
      this.#violate(`a caller of ${name} was turned away with nothing wrong: ${code}`)
    // What needs nothing else, and is not used up by its fetch, a process fetches without the store, once it has none at all.
    const isFree = credential.isOut === undefined && credential.rotates !== true
    if (code === 'STORE_UNAVAILABLE' && isFree && minLifeMs === 0 && patienceMs >= PATIENT_MS && isWellBesidesStore())
      this.#violate(`a caller of ${name} was turned away with nothing wrong but the store`)
  }

  /** A caller whose call was refused is told so, and was not called again with what there is by now. */
  refused(caller: Caller, value: string): void {
    const { credential } = caller
    const token = credential.handle.peek()
    if (token !== undefined && token.value !== value && !this.#isDisturbed(caller))
      this.#violate(`use() of ${credential.name} did not call again with ${token.version}`)
    this.leaves(caller)
  }

  /** A caller reports a token: what is given again after `taken` resolves is held against it. */
  reports(credential: PlayedCredential, { value }: Token, taken: Promise<void>): void {
    const { rotates, handle } = credential
    const known = credential.givenOut?.(value)
    const { now } = this.#circumstances
    // What others have published of it meanwhile it does not know.
    const state = this.#of(handle.key)
    if (state.isAlone || this.#circumstances.isQuiet(state.record)) return
    if (known === undefined || ((known.times > 1 || rotates === true) && now() < known.at + VOUCHED_MS)) return
    void taken.then(() => {
      if (credential.givenOut?.(value)?.at !== known.at) return
      state.reported = new Map([...state.reported, [value, known.at]])
    })
  }

  /** A caller who only looked found nothing. */
  leaves(caller: Caller): void {
    this.#callers.delete(caller)
  }

  /** The store has told the process this: whoever comes from now on is not given what it calls rejected. */
  told({ key, version, rejectedUpTo }: Snapshot): void {
    const known = this.#of(handleKey(key))
    // What it fetched for itself the store has by now, or something newer.
    if (version >= Math.max(1, known.served)) known.isAlone = false
    const before = known.told.rejectedUpTo
    if (rejectedUpTo > before) known.told = { rejectedUpTo, at: this.#circumstances.now(), before }
    if (rejectedUpTo >= known.newest) known.fetched = undefined
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
    this.#ends.noted(event)
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
        // It may be born rejected: what it was to replace was reported while it was on its way.
        known.fetched =
          event.lifeMs > CORE_POLICY.floorMs && event.version > known.told.rejectedUpTo ? this.#lives(event.lifeMs) : undefined
        break
      case 'rejected':
        known.rejected = Math.max(known.rejected, event.version)
        known.fetched = undefined
        break
      case 'backoff':
        if (!event.shared) this.#waited(event.retryInMs)
    }
  }

  #comes(wish: Pick<Caller, 'credential' | 'patienceMs' | 'boundMs' | 'minLifeMs' | 'held'>): Caller {
    const { served, rejected, reported } = this.#of(wish.credential.handle.key)
    const caller: Caller = { ...wish, askedAt: this.#circumstances.now(), served, rejected, reported }
    this.#callers.add(caller)
    return caller
  }

  #lives(ms: number): NonNullable<Known['fetched']> {
    const at = this.#circumstances.now()
    return { at, endsAt: at + ms }
  }

  /** What the store had told it before this very moment. */
  #toldOf(key: string): number {
    const { rejectedUpTo, at, before } = this.#of(key).told
    return at < this.#circumstances.now() ? rejectedUpTo : before
  }

  /** @param key the handle's */
  #of(key: string): Known {
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const none: Known = {
      record: recordKey(key),
      served: 0,
      rejected: 0,
      newest: 0,
      told: { rejectedUpTo: 0, at: Number.NEGATIVE_INFINITY, before: 0 },
      reported: new Map(),
      fetched: undefined,
      isWaitedFor: false,
      isAlone: false,
      doubtedAt: Number.NEGATIVE_INFINITY,
    }
    this.#known.set(key, none)
    return none
  }

  #answered(caller: Caller): void {
    const { credential, askedAt, minLifeMs } = caller
    const { name, handle } = credential
    if (!this.#callers.delete(caller)) this.#violate(`I8: a caller of ${name} was answered twice`)
    this.#checkBound(caller, 'was answered')
    if (this.#isDisturbed(caller)) return
    const { now, isWell, heardMs, heardOfLifeMs, publishedSince } = this.#circumstances
    const waitedMs = now() - askedAt
    const publishedAt = isWell() ? publishedSince(this.#of(handle.key).record, askedAt) : undefined
    if (publishedAt !== undefined && now() > publishedAt + (minLifeMs > 0 ? heardOfLifeMs : heardMs)) {
      this.#violate(`a caller of ${name} heard ${(now() - publishedAt).toFixed(0)} ms late of what had been published`)
    }
    const leftMs = this.#leftOf(caller)
    if (leftMs === undefined) return
    // With less left than the floor a caller may wait for the next one, and may learn meanwhile that what is at hand is rejected.
    const isPlenty = leftMs + waitedMs > Math.max(policyOf(credential).floorMs, minLifeMs)
    if ((isPlenty && waitedMs > SLACK_MS) || (leftMs > minLifeMs && waitedMs > LINGER_MS + SLACK_MS)) {
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
    const { record, rejected, told, doubtedAt } = this.#of(handle.key)
    if (doubtedAt >= askedAt) return undefined
    if (held === undefined || held.version <= Math.max(rejected, told.rejectedUpTo)) return undefined
    // It may have learned of that while the caller waited.
    if (this.#circumstances.isRejected(record, held.value)) return undefined
    const { since, earlierMs, takenAfterMs } = this.#ends.drift(credential, held)
    // What was fetched over a sleep ends earlier by as much in the store.
    if (since <= this.#process.sleptAt) return undefined
    // It may have learned meanwhile that the store's clock was set forward.
    return held.expiresAt - Math.max(mostEarlierMs(credential), takenAfterMs) - earlierMs - this.#process.clock.wall()
  }

  /** Processes that fail together are to come back one by one: each draws its waits. */
  #waited(waitMs: number): void {
    this.#waits += 1
    if (waitMs % WHOLE_MS === 0) this.#wholeWaits += 1
    if (this.#waits === WAITS && this.#wholeWaits === WAITS) this.#violate('waits after failures are not drawn')
  }
}
