import type { DeliveryAttempt } from '../delivery.ts'
import type { RequestRecord } from '../request-log.ts'

const LONGEST_PATH = 100

/** One line for a request: what was asked, and how it went. No token, no ticket, and not whose. */
export function requestLine({ method, path, endpoint, status, code, effect, end }: RequestRecord): string {
  const what = endpoint === 'api' || endpoint === 'other' ? path.slice(0, LONGEST_PATH) : endpoint
  if (end !== 'replied') return `${method} ${what}: no reply, the client left`
  const outcome = [`HTTP ${status}`, code === undefined ? undefined : `code ${code}`, effect?.replace('-', ' ')]
  return `${method} ${what}: ${outcome.filter((part) => part !== undefined).join(', ')}`
}

/** Why an event was not taken. */
export function whyNotTaken({ status, error }: DeliveryAttempt): string {
  return status === undefined ? `no reply (${error ?? 'unknown'})` : `HTTP ${status}`
}
