import type { FeishuTokens } from '@tokenwell/core/feishu'
import type { Draws } from '../simulation/random.ts'
import type { PlayedProcess, Surroundings } from '../simulation/scenario.ts'
import { plainEvent } from './plain-event.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

/** An event that was not answered in time is delivered again, so long after the time before, milliseconds. */
const AGAIN_MS = [15_000, 5 * MINUTE_MS, HOUR_MS, 6 * HOUR_MS]
const ANSWER_MS = 3_000
/** With so many tickets given out since, one is not taken any more. */
const KEPT = 24

export const TICKET_FAULTS = ['ticket-late', 'ticket-lost', 'ticket-again', 'ticket-ahead', 'ticket-dies'] as const
export type TicketFault = (typeof TICKET_FAULTS)[number]

/** A process that events can be pushed to. */
export interface Receiver {
  readonly process: PlayedProcess
  readonly tokens: FeishuTokens
}

interface Pushed {
  readonly ticket: string
  readonly uuid: string
  /** When it was made, milliseconds of true time. */
  readonly madeAt: number
}

/** Pushes app tickets, each to one process: every hour, when asked, again when it was not answered, and sometimes late, old or not at all. */
export class TicketPushes {
  readonly #surroundings: Surroundings
  readonly #struck: (fault: TicketFault) => void
  /** What befalls the next pushes. */
  readonly #ordered: Exclude<TicketFault, 'ticket-dies'>[] = []
  readonly #draws: Draws
  readonly #receivers: () => readonly Receiver[]
  readonly #app: { readonly appId: string; readonly verificationToken: string }
  /** Those that are taken, the oldest first. */
  #tickets: Pushed[] = []
  /** Those that some process has taken in, as far as the store has not lost them since. */
  readonly #given = new Set<string>()
  /** The time of the event that is furthest ahead. */
  #aheadUntil = Number.NEGATIVE_INFINITY
  #count = 0

  constructor(
    surroundings: Surroundings,
    app: { readonly appId: string; readonly verificationToken: string },
    receivers: () => readonly Receiver[],
  ) {
    this.#surroundings = surroundings
    this.#struck = surroundings.struck
    this.#draws = surroundings.draws('tickets')
    this.#app = app
    this.#receivers = receivers
    this.#everyHour()
    surroundings.watchStore({
      lost: (key) => {
        if (key === undefined || key.endsWith('/app-ticket')) this.#given.clear()
      },
    })
  }

  /** Whether some process has taken in a ticket that is taken here, none from the future shuts it out, and the store has not lost data since. */
  get isGiven(): boolean {
    const { now } = this.#surroundings
    return now() >= this.#aheadUntil && this.#tickets.some(({ ticket }) => this.#given.has(ticket))
  }

  isTaken(ticket: string): boolean {
    return this.#tickets.some((each) => each.ticket === ticket)
  }

  /** Of the tickets given out none is taken any more, or something befalls the next push. */
  trouble(fault: TicketFault): void {
    if (fault !== 'ticket-dies') this.#ordered.push(fault)
    else if (this.#tickets.splice(0).length > 0) this.#struck(fault)
  }

  /** Makes a ticket and pushes it, as the platform does every hour, and soon after it was asked to. */
  push(): void {
    const { now, at } = this.#surroundings
    const number = ++this.#count
    const pushed: Pushed = { ticket: `ticket ${number}`, uuid: `event ${number}`, madeAt: now() }
    this.#tickets.push(pushed)
    if (this.#tickets.length > KEPT) this.#tickets.shift()
    const fault = this.#ordered.shift()
    if (fault !== undefined) this.#struck(fault)
    switch (fault) {
      case 'ticket-lost':
        return
      case 'ticket-late':
        at(now() + this.#draws.spread(1_000, 3 * HOUR_MS), () => this.#deliver(pushed, 0))
        return
      case 'ticket-again': {
        const [oldest = pushed] = this.#tickets
        this.#deliver(pushed, 0)
        at(now() + this.#draws.spread(10, HOUR_MS), () => this.#deliver(oldest, 0))
        return
      }
      case 'ticket-ahead': {
        const madeAt = now() + this.#draws.spread(1_000, 3 * HOUR_MS)
        this.#aheadUntil = Math.max(this.#aheadUntil, madeAt)
        this.#deliver({ ...pushed, madeAt }, 0)
        return
      }
      case undefined:
        this.#deliver(pushed, 0)
    }
  }

  #everyHour(): void {
    const { now, at } = this.#surroundings
    at(now() + (this.#count === 0 ? 1_000 : HOUR_MS), () => {
      this.push()
      this.#everyHour()
    })
  }

  #deliver(pushed: Pushed, times: number): void {
    const { now, at, violate } = this.#surroundings
    let isAnswered = false
    const up = this.#receivers().filter(({ process }) => process.isUp())
    if (up.length > 0) {
      const { process, tokens } = this.#draws.pick(up)
      // Whether a repeated event carries the time of the first delivery is not known.
      const body = this.#event(pushed, times > 0 && this.#draws.chance(0.3) ? now() : pushed.madeAt)
      process.wire.hint(() => {
        tokens.receiveEvent({ headers: {}, body }).then(
          ({ status }) => {
            isAnswered ||= status === 200
            if (status === 200) this.#given.add(pushed.ticket)
          },
          (error: unknown) => {
            if (process.isUp()) violate(`receiveEvent rejected with ${String(error)}`)
          },
        )
      })
    }
    at(now() + ANSWER_MS, () => {
      const againMs = AGAIN_MS[times]
      if (!isAnswered && againMs !== undefined) at(now() + againMs, () => this.#deliver(pushed, times + 1))
    })
  }

  #event({ ticket, uuid }: Pushed, madeAt: number): string {
    const { appId, verificationToken: token } = this.#app
    const event = { app_id: appId, app_ticket: ticket, type: 'app_ticket' }
    return plainEvent({ uuid, token, epochMs: this.#surroundings.epochMs + madeAt, event })
  }
}
