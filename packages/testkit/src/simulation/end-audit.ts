import type { Token, TokenEvent } from '@tokenwell/core'
import type { Circumstances } from './circumstances.ts'
import type { Drift } from './life-log.ts'
import { recordKey } from './record-key.ts'
import { SLACK_MS } from './request-audit.ts'
import type { PlayedCredential } from './scenario.ts'
import type { SimulatedProcess } from './simulated-process.ts'

/** A sleep that is shorter is not noticed by the clocks, milliseconds; and one before the token came, one after. */
const UNNOTICED_SLEEP_MS = 10_000

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
  /** The store's key. */
  readonly record: string
  shown: Shown | undefined
  /** When it may have set out to fetch the next one, and when it set out for what it fetched last. */
  begunAt: number | undefined
  fetchedFrom: number | undefined
}

/** Watches what a process believes of the ends of its tokens, in one of its lives: none is served after its end or told to live longer, and no end is put off. */
export class EndAudit {
  readonly #process: SimulatedProcess
  readonly #circumstances: Circumstances
  readonly #violate: (what: string) => void
  /** By the handle's key. */
  readonly #known = new Map<string, Known>()

  constructor(process: SimulatedProcess, circumstances: Circumstances, violate: (what: string) => void) {
    this.#process = process
    this.#circumstances = circumstances
    this.#violate = violate
  }

  noted({ type, key }: TokenEvent): void {
    if (type !== 'granted' && type !== 'detached' && type !== 'renewed') return
    const known = this.#of(key)
    if (type === 'renewed') known.fetchedFrom = known.begunAt
    else known.begunAt = this.#circumstances.now()
  }

  /** A caller is given a token. @param is whether its end has come, and whether it is the first to be given it */
  given(credential: PlayedCredential, token: Token, is: { readonly over: boolean; readonly first: boolean }): void {
    const drift = this.drift(credential, token)
    if (is.over) this.#checkOver(credential, token, drift)
    this.#checkShown(credential, token, drift)
    if (is.first) this.#checkLife(credential, token, drift)
  }

  /** What became of the end of a token. Of what no store has taken the upstream has the only clock, and may have given it to somebody else since. */
  drift({ handle, givenOut }: PlayedCredential, { value, version }: Token): Drift {
    const { record, fetchedFrom } = this.#of(handle.key)
    const known = this.#circumstances.drift(record, version)
    if (known !== undefined) return known
    const at = givenOut?.(value)?.at ?? Number.NEGATIVE_INFINITY
    return { since: Math.min(at, fetchedFrom ?? at), laterMs: 0, earlierMs: 0, takenAfterMs: 0 }
  }

  /** What the store gave to its life it is served for. */
  #checkOver(credential: PlayedCredential, token: Token, drift: Drift): void {
    const laterMs = this.#laterMs(credential, token, drift)
    const overMs = this.#circumstances.now() - (credential.givenOut?.(token.value)?.endsAt ?? Number.NEGATIVE_INFINITY)
    if (laterMs === 0 || overMs > laterMs + SLACK_MS) this.#violate(`I5: ${credential.name} ${token.version} was served after its end`)
  }

  /** The end of a version that a process has told its callers only ever moves earlier, and is the end. */
  #checkShown({ name, handle }: PlayedCredential, { version, value, expiresAt }: Token, { since }: Drift): void {
    const { clock, wallSetAt, sleptAt } = this.#process
    const known = this.#of(handle.key)
    const { shown } = known
    // What is too little to be noticed stays: the end is told as it was, and a little off.
    const slackMs = since <= Math.max(wallSetAt, sleptAt) ? UNNOTICED_SLEEP_MS : SLACK_MS
    if (clock.wall() > expiresAt + slackMs) this.#violate(`I5: ${name} ${version} was served after the end that is told of it`)
    // By another clock it is told anew; and of the time that a machine sleeps only the store knows, whose own clock may have been set back.
    if (shown?.version !== version || shown.value !== value || shown.at <= Math.max(wallSetAt, sleptAt)) {
      known.shown = { version, value, expiresAt, at: this.#circumstances.now() }
    } else if (expiresAt > shown.expiresAt + SLACK_MS) {
      this.#violate(`I5: the end of ${name} ${version} was put off by ${(expiresAt - shown.expiresAt).toFixed(0)} ms`)
    }
  }

  #checkLife(credential: PlayedCredential, token: Token, drift: Drift): void {
    const { clock, wallSetAt, sleptAt } = this.#process
    const known = credential.givenOut?.(token.value)
    // Its end is told by the wall clock of when it came.
    if (known === undefined || drift.since <= wallSetAt) return
    const slackMs = this.#laterMs(credential, token, drift) + (drift.since <= sleptAt ? UNNOTICED_SLEEP_MS : SLACK_MS)
    const tooLongMs = token.expiresAt - clock.wall() - (known.endsAt - this.#circumstances.now())
    if (tooLongMs > slackMs) {
      this.#violate(`${credential.name} ${token.version} is believed to live ${tooLongMs.toFixed(0)} ms longer than it does`)
    }
  }

  /**
   * By how much a token may be believed to live longer than it does: by what the store's clock was set back, and by a sleep that was too short
   * for its clocks to tell of whoever fetched it without the store and shared it afterwards.
   */
  #laterMs({ givenOut }: PlayedCredential, { value }: Token, { since, laterMs }: Drift): number {
    // The same may have been given to somebody else since.
    const { at, firstAt = at } = givenOut?.(value) ?? { at: Number.NEGATIVE_INFINITY }
    return laterMs + (Math.min(firstAt, since) <= this.#circumstances.sleptAt() ? UNNOTICED_SLEEP_MS : 0)
  }

  #of(key: string): Known {
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const none: Known = { record: recordKey(key), shown: undefined, begunAt: undefined, fetchedFrom: undefined }
    this.#known.set(key, none)
    return none
  }
}
