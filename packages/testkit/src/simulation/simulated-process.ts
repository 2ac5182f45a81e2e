import type { Clock } from '@tokenwell/core'
import type { Draws } from './random.ts'
import type { Timeline } from './timeline.ts'

/** Where every clock of a world starts, milliseconds since the Unix epoch: the start of 2026, UTC. */
export const EPOCH_MS = Date.UTC(2026, 0, 1)

/** Sums of moments are not exact. */
const ROUNDING_MS = 1e-6

/** On waking up, a process finds its timers due before it reads what has come over the network, or the other way round: so much later. */
const AFTERWARDS_MS = 0.001

/** A process of a world: a machine with clocks of its own, which can be frozen, put to sleep and killed. */
export class SimulatedProcess {
  readonly name: string
  readonly clock: Clock
  readonly #timeline: Timeline
  #wallMs = 0
  #sleptMs = 0
  readonly #draws: Draws
  #frozenUntil = 0
  #asleepUntil = 0
  #life = 0
  #timers = 0
  #isTimersFirst = true
  #pausedAt = Number.NEGATIVE_INFINITY
  #sleptAt = Number.NEGATIVE_INFINITY
  #wallSetAt = Number.NEGATIVE_INFINITY

  constructor(name: string, timeline: Timeline, draws: Draws) {
    this.name = name
    this.#timeline = timeline
    this.#draws = draws
    this.clock = {
      wall: () => EPOCH_MS + timeline.now + this.#wallMs,
      monotonic: () => timeline.now - this.#sleptMs,
      schedule: (run, delayMs) => this.#schedule(run, delayMs),
    }
  }

  get isFrozen(): boolean {
    return this.#timeline.now < this.#frozenUntil
  }

  /** Which of its lives this is: it grows when it is killed. */
  get life(): number {
    return this.#life
  }

  /** When it last stood still, in true time: frozen or asleep. */
  get pausedAt(): number {
    return Math.min(this.#timeline.now, this.#pausedAt)
  }

  /** When it last slept, in true time. */
  get sleptAt(): number {
    return Math.min(this.#timeline.now, this.#sleptAt)
  }

  /** When its wall clock was last set, in true time. */
  get wallSetAt(): number {
    return this.#wallSetAt
  }

  /** Timers that are armed. */
  get timers(): number {
    return this.#timers
  }

  /** Nothing happens in the process for so long; its clocks go on. */
  freeze(ms: number): void {
    this.#frozenUntil = Math.max(this.#frozenUntil, this.#timeline.now + ms)
    this.#pausedAt = this.#frozenUntil
    this.#isTimersFirst = this.#draws.chance(0.5)
  }

  /** The machine sleeps: as frozen, and the monotonic clock and all timers stand still. */
  sleep(ms: number): void {
    this.freeze(ms)
    const until = this.#timeline.now + ms
    // One that sleeps already sleeps on.
    this.#sleptMs += Math.max(0, until - Math.max(this.#timeline.now, this.#asleepUntil))
    this.#asleepUntil = Math.max(this.#asleepUntil, until)
    this.#sleptAt = this.#asleepUntil
  }

  /** Sets the wall clock. */
  stepWall(ms: number): void {
    this.#wallMs += ms
    this.#wallSetAt = this.#timeline.now
  }

  /** Whatever was under way is gone: no timer fires any more, and what was sent to it is not received. */
  kill(): void {
    this.#life += 1
    this.#timers = 0
    this.#frozenUntil = 0
    this.#asleepUntil = 0
  }

  /** Runs `run` in the process as it is now, when it arrives; not at all if the process is another by then. */
  receiver(): (run: () => void) => void {
    const life = this.#life
    const receive = (run: () => void): void => {
      if (life !== this.#life) return
      if (this.isFrozen) this.#timeline.at(this.#frozenUntil + (this.#isTimersFirst ? AFTERWARDS_MS : 0), () => receive(run))
      else run()
    }
    return receive
  }

  #schedule(run: () => void, delayMs: number): () => void {
    if (!(delayMs >= 0)) throw new TypeError(`a timer takes milliseconds of at least 0, got ${delayMs}`)
    const life = this.#life
    const due = this.clock.monotonic() + delayMs
    let disarm = () => {}
    let isArmed = true
    this.#timers += 1
    const end = () => {
      if (isArmed && life === this.#life) this.#timers -= 1
      isArmed = false
    }
    const arm = () => {
      const wakesAt = this.#frozenUntil + (this.#isTimersFirst ? 0 : AFTERWARDS_MS)
      disarm = this.#timeline.at(Math.max(due + this.#sleptMs, wakesAt), () => {
        if (life !== this.#life) return
        // Frozen or asleep since it was armed.
        if (this.isFrozen || this.clock.monotonic() < due - ROUNDING_MS) return arm()
        end()
        run()
      })
    }
    arm()
    return () => {
      disarm()
      end()
    }
  }
}
