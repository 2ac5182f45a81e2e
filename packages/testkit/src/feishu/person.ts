import { isTokenError } from '@tokenwell/core'
import type { Draws } from '../simulation/random.ts'
import type { PlayedProcess, Surroundings } from '../simulation/scenario.ts'
import type { SimulatedPlatform } from './simulated-platform.ts'
import type { Receiver } from './ticket-pushes.ts'

/** How long a person waits for an authorisation before trying again, milliseconds. */
const PATIENCE_MS = 60_000
/** Somebody who is logged in authorises once more so often, milliseconds. */
const COMES_BACK_MS = { min: 10 * 60_000, max: 3 * 3_600_000 }
/** Now and then somebody authorises just while what they had is refreshed: so often, and so long after the request, milliseconds. */
const OVERTAKES = 0.05
const OVERTAKES_MS = 300
/** Somebody who was forgotten authorises again after so long, milliseconds. */
const AWAY_MS = { min: 1_000, max: 5 * 60_000 }

/** The users of the app are forgotten. */
export const FORGOTTEN = 'forgotten'

/** Somebody who authorises the app at the beginning, when told to, and again now and then. */
export class Person {
  readonly #surroundings: Surroundings
  readonly #platform: SimulatedPlatform
  readonly #userId: string
  readonly #receivers: readonly Receiver[]
  readonly #draws: Draws
  #isAtIt = false
  /** By process, in one of its lives: whether a value is of what it has forgotten last. */
  readonly #forgotten = new Map<PlayedProcess, (access: string) => boolean>()

  constructor(surroundings: Surroundings, platform: SimulatedPlatform, userId: string, receivers: readonly Receiver[]) {
    this.#surroundings = surroundings
    this.#platform = platform
    this.#userId = userId
    this.#receivers = receivers
    this.#draws = surroundings.draws(userId)
    this.#authorizeIn(5_000)
    this.#comeBack()
  }

  /** A caller of some process was told something. */
  isTold(error: unknown): void {
    if (isTokenError(error) && error.code === 'REAUTHORIZATION_REQUIRED') this.#authorizeIn(this.#draws.spread(1_000, 60_000))
  }

  /** Some process takes the tokens from the fleet. */
  isForgotten(): void {
    const { struck, violate, note } = this.#surroundings
    const up = this.#receivers.filter(({ process }) => process.isUp())
    if (up.length === 0) return
    const { process, tokens } = this.#draws.pick(up)
    note(`${this.#userId} is to be forgotten by n${process.index}`)
    struck(FORGOTTEN)
    const isDone = this.#platform.loginAudit.forgetting(this.#userId)
    tokens
      .user(this.#userId)
      .forget()
      .then(
        () => {
          note(`${this.#userId} is forgotten`)
          this.#forgotten.set(process, isDone())
        },
        (error: unknown) => {
          if (process.isUp() && !isTokenError(error)) violate(`forget() rejected with ${String(error)}`)
        },
      )
      .finally(() => this.#authorizeIn(this.#draws.spread(AWAY_MS.min, AWAY_MS.max)))
  }

  /** A caller of a process was given this. Whoever has forgotten it serves it no more; others do until they have heard of it. */
  isServed(process: PlayedProcess, access: string): void {
    if (this.#forgotten.get(process)?.(access) !== true) return
    this.#surroundings.violate(`n${process.index} serves a login of ${this.#userId} that it has forgotten itself`)
  }

  /** A process asks for what follows the login. */
  isRefreshed(): void {
    if (this.#draws.chance(OVERTAKES)) this.#authorizeIn(this.#draws.between(0, OVERTAKES_MS))
  }

  #comeBack(): void {
    const { now, at } = this.#surroundings
    at(now() + this.#draws.spread(COMES_BACK_MS.min, COMES_BACK_MS.max), () => {
      this.#authorizeIn(1)
      this.#comeBack()
    })
  }

  #authorizeIn(ms: number): void {
    if (this.#isAtIt) return
    this.#isAtIt = true
    const { now, at } = this.#surroundings
    at(now() + ms, () => {
      let isOver = false
      const end = (again: boolean) => {
        if (isOver) return
        isOver = true
        this.#isAtIt = false
        if (again) this.#authorizeIn(this.#draws.spread(5_000, PATIENCE_MS))
      }
      at(now() + PATIENCE_MS, () => end(true))
      this.#authorize(end)
    })
  }

  #authorize(end: (again: boolean) => void): void {
    const { now, violate, note } = this.#surroundings
    const up = this.#receivers.filter(({ process }) => process.isUp())
    if (up.length === 0) {
      end(true)
      return
    }
    const { process, tokens } = this.#draws.pick(up)
    note(`${this.#userId} authorises`)
    const { logins, loginAudit } = this.#platform
    const code = logins.code(this.#userId)
    const calledAt = now()
    tokens
      .user(this.#userId)
      .authorize({ code })
      .then(
        () => {
          loginAudit.authorized(code, calledAt)
          end(false)
        },
        (error: unknown) => {
          if (process.isUp() && !isTokenError(error)) violate(`authorize() rejected with ${String(error)}`)
          end(true)
        },
      )
  }
}
