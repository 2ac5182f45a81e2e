import type { Server } from 'node:http'
import { answer } from './answer.ts'
import type { Apps } from './apps.ts'
import type { Behaviour } from './behaviour.ts'
import type { Timekeeper } from './clock.ts'
import { type Answer, text } from './endpoints.ts'
import { type FaultScript, rateLimited } from './faults.ts'
import type { Notices } from './notices.ts'
import { claimOf } from './platform.ts'
import type { Quotas } from './quotas.ts'
import type { RequestLog, RequestRecord } from './request-log.ts'
import { createSimulatorServer } from './server.ts'
import type { SimulatorEvents } from './simulator-events.ts'
import type { Tickets } from './tickets.ts'

export interface ServiceOptions {
  readonly apps: Apps
  readonly behaviour: Behaviour
  readonly time: Timekeeper
  readonly faults: FaultScript
  readonly quotas: Quotas
  readonly log: RequestLog
  readonly notices: Notices<SimulatorEvents>
  readonly tickets: Tickets
  /** The simulator itself failed. */
  readonly onViolation: (error: unknown) => void
}

/** The endpoints behind a server, with everything that counts, records and reports what they do. */
export function createService(options: ServiceOptions): Server {
  const { apps, behaviour, time, faults, log, notices, onViolation } = options
  const platform = { apps: apps.byId, behaviour }
  return createSimulatorServer({
    time,
    faults,
    log,
    rateLimitStatus: behaviour.rateLimitStatus,
    claimOf: ({ endpoint, fields, authorization }) => claimOf(endpoint, fields, authorization, platform),
    answer: (call, record) => carryOut(record, () => answer(call, platform), options),
    onStarted: ({ endpoint }) => apps.total.requestStarted(endpoint),
    onReceived: (record) => {
      for (const tally of apps.talliesOf(record)) tally.requestStarted(record.endpoint)
      apps.present(text(record.fields.refresh_token), record)
      notices.emit('request', record)
    },
    onHeld: (record) => notices.emit('held', record),
    onEnded: (record) => {
      for (const tally of [apps.total, ...apps.talliesOf(record)]) tally.requestEnded(record)
      notices.emit('reply', record)
    },
    onViolation,
  })
}

/** Carries a request out, unless its quota is used up. */
function carryOut(record: RequestRecord, decide: () => Answer, { apps, behaviour, quotas, tickets, time }: ServiceOptions): Answer {
  const resetSeconds = quotas.take(record, time.now())
  if (resetSeconds !== undefined) return rateLimited(resetSeconds, behaviour.rateLimitStatus)
  const decided = decide()
  for (const tally of [apps.total, ...apps.talliesOf(record)]) tally.answered(decided)
  if (decided.resendFor !== undefined) tickets.resend(decided.resendFor)
  return decided
}
