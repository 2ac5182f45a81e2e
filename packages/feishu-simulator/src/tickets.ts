import type { Apps } from './apps.ts'
import type { Behaviour } from './behaviour.ts'
import type { Timekeeper } from './clock.ts'
import type { Deliveries, DeliveryAttempt } from './delivery.ts'
import type { EventForm } from './event.ts'

export interface TicketsOptions {
  readonly apps: Apps
  readonly time: Timekeeper
  readonly deliveries: Deliveries
  readonly behaviour: Behaviour
}

/** Pushes the tickets of store apps: on demand, after a resend, and every so often. */
export class Tickets {
  readonly #options: TicketsOptions

  constructor(options: TicketsOptions) {
    this.#options = options
  }

  /** Pushes a new ticket, or the one given. Resolves with the first attempt. */
  push(appId: string, { ticket, ...form }: EventForm & { readonly ticket?: string } = {}): Promise<DeliveryAttempt> {
    const { apps, deliveries } = this.#options
    const app = apps.get(appId)
    return deliveries.push(app, { type: 'app_ticket', app_ticket: ticket ?? app.ledger.issueTicket() }, form)
  }

  /** Pushes a ticket as a resend does. */
  resend(appId: string): void {
    const { apps, time, behaviour } = this.#options
    const push = (): void => {
      const ticket = behaviour.resend === 'same' ? apps.get(appId).ledger.newestTicket() : undefined
      void this.push(appId, ticket === undefined ? {} : { ticket })
    }
    if (behaviour.resendDelayMs > 0) time.after(behaviour.resendDelayMs, push)
    else push()
  }

  /** Pushes a ticket of every store app after `everyMs`, and again after each such time. */
  schedule(everyMs: number): void {
    const { apps, time } = this.#options
    time.after(everyMs, () => {
      this.schedule(everyMs)
      for (const { appId, type } of apps.byId.values()) if (type === 'store') void this.push(appId)
    })
  }
}
