import type { DeliveryAttempt } from './delivery.ts'
import type { RequestRecord } from './request-log.ts'

/** What `on` and `next` report. */
export interface SimulatorEvents {
  /** A request has arrived whole; nothing has been decided about it. */
  readonly request: RequestRecord
  /** A fault holds a request or its reply back, its timer is set: the moment to advance a virtual clock. Once for each piece of a slow body. */
  readonly held: RequestRecord
  /** A request was answered or broken off. */
  readonly reply: RequestRecord
  /** A callback attempt ended, acknowledged or not. */
  readonly delivery: DeliveryAttempt
}
