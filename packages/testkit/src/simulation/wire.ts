import type { Draws } from './random.ts'
import type { SimulatedProcess } from './simulated-process.ts'
import type { Timeline } from './timeline.ts'
import type { WireFault } from './trouble.ts'

/** How long a message takes, milliseconds. */
export interface Latency {
  readonly min: number
  readonly max: number
}

/** What befalls a message that a fault strikes. */
interface Fate {
  readonly requestMs: number | undefined
  readonly againMs?: number
  readonly replyMs: number | undefined
  readonly isRefused?: boolean
}

/**
 * The way from one process to the store or the upstream, and back. Faults are switched on and off; each strikes a message with its
 * probability, and is counted when it does.
 */
export class Wire {
  readonly #timeline: Timeline
  readonly #process: SimulatedProcess
  readonly #draws: Draws
  readonly #latency: Latency
  readonly #faults = new Map<WireFault, number>()
  readonly #struck: (fault: WireFault) => void

  constructor(
    timeline: Timeline,
    process: SimulatedProcess,
    options: { readonly draws: Draws; readonly latency: Latency; readonly struck: (fault: WireFault) => void },
  ) {
    this.#timeline = timeline
    this.#process = process
    this.#draws = options.draws
    this.#latency = options.latency
    this.#struck = options.struck
  }

  /** From now on this fault strikes with this probability; 0 for never. */
  set(fault: WireFault, probability: number): void {
    if (probability > 0) this.#faults.set(fault, probability)
    else this.#faults.delete(fault)
  }

  /**
   * Sends a request. `serve` is called when it arrives, and again if it is delivered again; what it gives first is the reply. Settles when
   * the reply arrives: never, if one of the two is lost.
   */
  request<T>(serve: (again: boolean) => Promise<T>): Promise<T> {
    const fate = this.#fate()
    const receive = this.#process.receiver()
    return new Promise((resolve, reject) => {
      if (fate.isRefused === true) {
        const refused = Object.assign(new Error('connection refused'), { code: 'ECONNREFUSED' })
        this.#timeline.at(this.#timeline.now + this.#oneWay(), () => receive(() => reject(refused)))
        return
      }
      if (fate.requestMs === undefined) return
      this.#timeline.at(this.#timeline.now + fate.requestMs, () => {
        const reply = (settle: () => void) => {
          if (fate.replyMs !== undefined) this.#timeline.at(this.#timeline.now + fate.replyMs, () => receive(settle))
        }
        serve(false).then(
          (answer) => reply(() => resolve(answer)),
          (error: unknown) => reply(() => reject(error)),
        )
      })
      if (fate.againMs !== undefined) {
        this.#timeline.at(this.#timeline.now + fate.againMs, () => {
          serve(true).catch(() => {})
        })
      }
    })
  }

  /** Sends a hint to the process: it may be lost, or delivered twice. */
  hint(deliver: () => void): void {
    const receive = this.#process.receiver()
    if (this.#strikes('lost-hint')) return
    this.#timeline.at(this.#timeline.now + this.#oneWay(), () => receive(deliver))
    if (this.#strikes('duplicate'))
      this.#timeline.at(this.#timeline.now + this.#oneWay() + this.#draws.between(0, 5_000), () => receive(deliver))
  }

  #fate(): Fate {
    const requestMs = this.#oneWay()
    const replyMs = this.#oneWay()
    if (this.#strikes('refused')) return { requestMs, replyMs, isRefused: true }
    if (this.#strikes('lost-request')) return { requestMs: undefined, replyMs }
    if (this.#strikes('lost-reply')) return { requestMs, replyMs: undefined }
    if (this.#strikes('late')) return { requestMs: this.#draws.spread(500, 120_000), replyMs }
    if (this.#strikes('duplicate')) return { requestMs, replyMs, againMs: requestMs + this.#draws.spread(0.1, 120_000) }
    if (this.#strikes('slow'))
      return { requestMs: requestMs + this.#draws.between(0, 1_500), replyMs: replyMs + this.#draws.between(0, 1_500) }
    return { requestMs, replyMs }
  }

  #oneWay(): number {
    return this.#draws.between(this.#latency.min, this.#latency.max)
  }

  #strikes(fault: WireFault): boolean {
    const probability = this.#faults.get(fault)
    if (probability === undefined || !this.#draws.chance(probability)) return false
    this.#struck(fault)
    return true
  }
}
