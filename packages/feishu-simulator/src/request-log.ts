import type { Effect, Endpoint, Fields } from './endpoints.ts'
import type { Fault } from './faults.ts'

/** One request as the simulator saw it. Times are milliseconds since the Unix epoch on the simulator's clock. */
export interface RequestRecord {
  /** 1 for the first request of the simulator. */
  readonly number: number
  readonly method: string
  /** Without the query. */
  readonly path: string
  readonly endpoint: Endpoint
  readonly receivedAtMs: number
  /** The same moment on the machine's own monotonic clock, which all its processes share: `process.hrtime` in milliseconds. */
  readonly machineMs: number
  /** The fields of a JSON body; empty while it has not arrived, and for any other body. */
  readonly fields: Fields
  /** The header `Authorization`. */
  readonly authorization?: string
  /** The app of the request, once it is known. */
  readonly appId?: string
  /** The tenant it is for or from, known or not. */
  readonly tenantKey?: string
  /** The user whose code or token it carries. */
  readonly userId?: string
  /** The fault that struck it. */
  readonly fault?: Fault
  /** What it brought about, whether or not the client learnt of it. */
  readonly effect?: Effect
  /** `X-Tt-Logid` of the reply. */
  readonly logId: string
  /** `open` until one of the others. */
  readonly end: 'open' | 'replied' | 'client-left' | 'reset'
  readonly endedAtMs?: number
  /** HTTP status of the reply, once its headers were sent. */
  readonly status?: number
  /** `code` of the reply's body, where it has one. */
  readonly code?: number
}

/** The newest requests are kept, older ones forgotten. */
const KEPT = 10_000

/** A record while its request is under way; readers see it as {@link RequestRecord}. */
export type OpenRecord = { -readonly [Key in keyof RequestRecord]: RequestRecord[Key] }

export class RequestLog {
  readonly #records: OpenRecord[] = []
  #count = 0

  get records(): readonly RequestRecord[] {
    return this.#records
  }

  begin(method: string, path: string, endpoint: Endpoint, receivedAtMs: number): OpenRecord {
    this.#count += 1
    const logId = `${new Date(receivedAtMs).toISOString().replace(/\D/g, '')}${String(this.#count).padStart(15, '0')}`
    const machineMs = Number(process.hrtime.bigint()) / 1e6
    const record: OpenRecord = { number: this.#count, method, path, endpoint, receivedAtMs, machineMs, fields: {}, logId, end: 'open' }
    this.#records.push(record)
    if (this.#records.length > KEPT) this.#records.shift()
    return record
  }
}
