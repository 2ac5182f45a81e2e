import { deferred } from './deferred.ts'
import { type Answer, ENDPOINTS, type Endpoint, type Fields, type TokenFields } from './endpoints.ts'
import type { RequestRecord } from './request-log.ts'

/**
 * Whether a fault strikes before the request is carried out (as if it had never arrived) or after (a token was minted, only its reply
 * is late or lost). Default `'request'`.
 */
export type FaultMoment = 'request' | 'reply'

/** What can go wrong with one request. */
export type Fault =
  /** Any HTTP status, with a text body, in place of the answer. */
  | { readonly kind: 'status'; readonly status: number; readonly body?: string }
  /** A page of a proxy in place of the answer; HTTP status 200 unless told. */
  | { readonly kind: 'html'; readonly status?: number }
  /** An empty body in place of the answer; HTTP status 200 unless told. */
  | { readonly kind: 'empty'; readonly status?: number }
  /** A refusal with any `code`; HTTP status 200 unless told. */
  | { readonly kind: 'code'; readonly code: number; readonly msg?: string; readonly status?: number }
  /** 99991400 with `x-ogw-ratelimit-reset: resetSeconds`; HTTP status as the simulator's `rateLimitStatus` unless told. */
  | { readonly kind: 'rate-limit'; readonly resetSeconds: number; readonly status?: number }
  /** A redirect; HTTP status 302 unless told. */
  | { readonly kind: 'redirect'; readonly location: string; readonly status?: number }
  /** The true answer, cut off in the middle of its JSON. */
  | { readonly kind: 'truncated' }
  /** The true answer with numbers for the tokens, a list for their life and `null` for `msg`. */
  | { readonly kind: 'wrong-types' }
  /** The true answer without its token, or without that of this `field`, such as `refresh_token`. */
  | { readonly kind: 'missing-token'; readonly field?: string }
  /** The true answer with this `expire`, `expires_in` or `expire_in`, or without any. */
  | { readonly kind: 'expire'; readonly value?: number | string }
  /** The true answer, padded to `bytes`; default 5 MB. */
  | { readonly kind: 'huge'; readonly bytes?: number }
  /** No answer until the client leaves or the fault is released; then the true one. */
  | { readonly kind: 'hang'; readonly at?: FaultMoment }
  /** The true answer, `ms` of the simulator's clock later. */
  | { readonly kind: 'delay'; readonly ms: number; readonly at?: FaultMoment }
  /** Headers at once, then the body in ten pieces over `ms` of the simulator's clock. */
  | { readonly kind: 'slow-body'; readonly ms: number }
  /** The connection is reset. */
  | { readonly kind: 'reset'; readonly at?: FaultMoment }

/** An endpoint, a path (beginning with `/`), or `'*'` for every request. */
export type FaultTarget = Endpoint | '*' | `/${string}`

/** Which requests a fault strikes, beside its target. */
export interface FaultOptions {
  /** How many requests, 1 or more; `Infinity` for all. Default 1. */
  readonly times?: number
  /** Narrows it down, say to one user; called when the request has arrived whole. Default: every request to the target. */
  readonly fits?: (request: RequestRecord) => boolean
}

/** A fault in force. */
export interface FaultHandle {
  /** How many requests it will still strike. */
  readonly left: number
  /** How many requests it has struck. */
  readonly hits: number
  /** Ends the fault and lets every request go on that hangs on it. */
  release(): void
}

/** One fault as a request meets it. */
export interface Struck {
  readonly fault: Fault
  /** Resolves when the fault is released. */
  readonly released: Promise<void>
}

interface Entry {
  readonly target: FaultTarget
  readonly fault: Fault
  readonly fits: (request: RequestRecord) => boolean
  readonly released: Promise<void>
  readonly release: () => void
  left: number
  hits: number
}

/** Faults in the order they were set; each request meets at most one, the first that fits it. */
export class FaultScript {
  #entries: Entry[] = []

  /** Strikes the next `times` requests to `target`. */
  add(target: FaultTarget, fault: Fault, { times = 1, fits = () => true }: FaultOptions): FaultHandle {
    if (target !== '*' && !target.startsWith('/') && !(ENDPOINTS as readonly string[]).includes(target)) {
      throw new TypeError(`fault target: expected one of ${ENDPOINTS.join(', ')}, '*' or a path, got '${target}'`)
    }
    if (!(times === Number.POSITIVE_INFINITY || (Number.isInteger(times) && times > 0))) {
      throw new TypeError(`fault times: expected a whole number above 0 or Infinity, got ${String(times)}`)
    }
    const { promise, resolve } = deferred()
    const entry: Entry = { target, fault, fits, released: promise, release: resolve, left: times, hits: 0 }
    this.#entries.push(entry)
    return {
      get left() {
        return entry.left
      },
      get hits() {
        return entry.hits
      },
      release: () => this.#end(entry),
    }
  }

  /** The fault that strikes this request, counted as used. */
  take(request: RequestRecord): Struck | undefined {
    const { endpoint, path } = request
    const aims = ({ target }: Entry): boolean => target === '*' || target === endpoint || target === path
    const entry = this.#entries.find((candidate) => candidate.left > 0 && aims(candidate) && candidate.fits(request))
    if (!entry) return undefined
    entry.left -= 1
    entry.hits += 1
    return entry
  }

  /** Ends and releases every fault. */
  clear(): void {
    for (const entry of [...this.#entries]) this.#end(entry)
  }

  #end(entry: Entry): void {
    entry.left = 0
    entry.release()
    this.#entries = this.#entries.filter((other) => other !== entry)
  }
}

/** When a fault of timing strikes; `undefined` for every other fault. */
export function faultMoment(fault: Fault): FaultMoment | undefined {
  const isTimed = fault.kind === 'hang' || fault.kind === 'delay' || fault.kind === 'reset'
  return isTimed ? (fault.at ?? 'request') : undefined
}

/** A reply as it goes over the wire. */
export interface WireReply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
  /** The body's `code`, where it has one. */
  readonly code?: number
}

const HTML = '<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>'

/** The reply of a fault that keeps the request from being carried out; `undefined` for every other fault. */
export function replyInstead(fault: Fault, rateLimitStatus: number, endpoint: Endpoint): WireReply | undefined {
  switch (fault.kind) {
    case 'status':
      return textReply(fault.status, 'text/plain', fault.body ?? `HTTP ${fault.status}`)
    case 'html':
      return textReply(fault.status ?? 200, 'text/html', HTML)
    case 'empty':
      return textReply(fault.status ?? 200, 'application/json', '')
    case 'redirect':
      return { status: fault.status ?? 302, headers: { location: fault.location }, text: '' }
    case 'code': {
      const msg = fault.msg ?? `simulated error ${fault.code}`
      const body = endpoint === 'oauth_token' ? { error: 'simulated_error', error_description: msg } : { msg }
      return jsonReply(fault.status ?? 200, { code: fault.code, ...body })
    }
    case 'rate-limit':
      return plain(rateLimited(fault.resetSeconds, fault.status ?? rateLimitStatus))
    default:
      return undefined
  }
}

/** The refusal of a request that comes too soon. */
export function rateLimited(resetSeconds: number, status: number): Answer {
  return {
    status,
    headers: { 'x-ogw-ratelimit-reset': String(resetSeconds) },
    body: { code: 99991400, msg: 'request trigger frequency limit' },
  }
}

/** The true answer as the fault distorts it. */
export function distort(answer: Answer, fault: Fault | undefined): WireReply {
  const { body } = answer
  switch (fault?.kind) {
    case 'truncated': {
      const whole = plain(answer)
      return { ...whole, text: whole.text.slice(0, Math.ceil(whole.text.length / 2)) }
    }
    case 'wrong-types': {
      const wrong = withTokens(answer, (content, { tokens, expire }) => ({
        ...Object.fromEntries(tokens.filter((field) => field in content).map((field) => [field, 42])),
        [expire]: [content[expire]],
      }))
      return plain({ ...wrong, body: { ...wrong.body, msg: null } })
    }
    case 'missing-token':
      return plain(withTokens(answer, (_, { tokens: [main = ''] }) => ({ [fault.field ?? main]: undefined })))
    case 'expire':
      return plain(withTokens(answer, (_, { expire }) => ({ [expire]: fault.value })))
    case 'huge':
      return plain({ ...answer, body: { ...body, padding: 'x'.repeat(fault.bytes ?? 5 * 1024 * 1024) } })
    default:
      return plain(answer)
  }
}

/** The answer with other values where its tokens are; an answer without tokens stays as it is. */
function withTokens(answer: Answer, change: (content: Fields, fields: TokenFields) => Fields): Answer {
  const { body, tokenFields } = answer
  if (tokenFields === undefined) return answer
  const { within } = tokenFields
  if (within === undefined) return { ...answer, body: { ...body, ...change(body, tokenFields) } }
  const content = body[within] as Fields
  return { ...answer, body: { ...body, [within]: { ...content, ...change(content, tokenFields) } } }
}

function plain({ status, headers, body }: Answer): WireReply {
  const reply = jsonReply(status, body)
  return { ...reply, headers: { ...reply.headers, ...headers } }
}

function jsonReply(status: number, body: Fields): WireReply {
  const code = typeof body.code === 'number' ? { code: body.code } : {}
  return { ...textReply(status, 'application/json', JSON.stringify(body)), ...code }
}

function textReply(status: number, type: string, text: string): WireReply {
  return { status, headers: { 'content-type': `${type}; charset=utf-8` }, text }
}
