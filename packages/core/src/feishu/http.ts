import { Agent, type Dispatcher, Dispatcher1Wrapper, getGlobalDispatcher, request as send } from 'undici'
import { isTokenError, TokenError } from '../errors.ts'
import { describe } from '../options.ts'
import { scrubbedError } from '../scrub.ts'
import { logId, type UpstreamReply } from './replies.ts'
import type { UpstreamRequest } from './requests.ts'

export type { Dispatcher }

/** How requests reach the upstream. */
export interface Http {
  /**
   * Sends one request and reads the whole reply, whatever its status. Redirects are not followed and nothing is sent twice.
   *
   * @param options.signal the deadline: undici's own timeouts alone would allow a reply that trickles in for ever
   * @throws TokenError `UPSTREAM_UNAVAILABLE` when there is no reply, `UPSTREAM_INVALID_REPLY` when it is larger than 64 KiB, `CLOSED`
   *   after `close()`. When the signal was aborted with a TokenError, that one.
   */
  post(request: UpstreamRequest, options: { readonly signal: AbortSignal }): Promise<UpstreamReply>
  /** Ends its own connections at once, with any request in flight. Never touches a dispatcher it was given. May be called again. */
  close(): Promise<void>
}

const MAX_REPLY_BYTES = 64 * 1024

/** A mint every hour or two: connections are kept for the request that follows at once, not for the next mint. */
const OWN_AGENT: Agent.Options = {
  connect: { timeout: 3_000 },
  headersTimeout: 7_000,
  bodyTimeout: 7_000,
  keepAliveTimeout: 4_000,
  keepAliveMaxTimeout: 10_000,
}

const HEADERS = {
  accept: 'application/json',
  'content-type': 'application/json; charset=utf-8',
  'user-agent': 'tokenwell',
}

/**
 * @param options.baseUrl as returned by {@link resolveDomain}
 * @param options.dispatcher as returned by {@link checkDispatcher}; without one, an agent is made on first use
 */
export function createHttp(options: { readonly baseUrl: string; readonly dispatcher?: Dispatcher | undefined }): Http {
  let ownAgent: Agent | undefined
  let closed = false

  function dispatcher(): Dispatcher {
    if (options.dispatcher !== undefined) return options.dispatcher
    ownAgent ??= new Agent(OWN_AGENT)
    return ownAgent
  }

  async function exchange(request: UpstreamRequest, signal: AbortSignal): Promise<UpstreamReply> {
    const { statusCode, headers, body } = await send(options.baseUrl + request.path, {
      method: 'POST',
      headers: request.bearer === undefined ? HEADERS : { ...HEADERS, authorization: `Bearer ${request.bearer}` },
      body: JSON.stringify(request.body),
      dispatcher: dispatcher(),
      signal,
    })
    const chunks: Uint8Array[] = []
    let size = 0
    // Leaving the loop early destroys the body and with it the connection: the rest is never read.
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      size += chunk.byteLength
      if (size > MAX_REPLY_BYTES) {
        const id = logId(headers, secretsOf(request))
        throw new TokenError(
          'UPSTREAM_INVALID_REPLY',
          `POST ${request.path}: the reply is larger than ${MAX_REPLY_BYTES} bytes, so it is not one of the platform's. Check the option domain, and any proxy on the way.`,
          { retryable: true, upstream: { httpStatus: statusCode, ...(id === undefined ? {} : { logId: id }) } },
        )
      }
      chunks.push(chunk)
    }
    return { status: statusCode, headers, body: Buffer.concat(chunks) }
  }

  return {
    async post(request, { signal }) {
      if (closed) throw closedError(request)
      try {
        return await beforeAbort(signal, () => exchange(request, signal))
      } catch (error) {
        // The reason of an abort first: undici throws it as is, and it may be somebody's TokenError.
        if (signal.aborted) throw isTokenError(signal.reason) ? signal.reason : noReplyInTime(request, signal.reason)
        if (isTokenError(error)) throw error
        throw closed ? closedError(request) : unreachable(request, error)
      }
    },
    async close() {
      closed = true
      await ownAgent?.destroy()
    },
  }
}

/**
 * Runs `work` until the signal is aborted, then rejects at once. undici looks at its signal only once it has a connection.
 * `work` that was left behind still reads its reply to the end, so that no connection is stuck with half a body.
 */
async function beforeAbort<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  signal.throwIfAborted()
  let onAbort = () => {}
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
  })
  try {
    return await Promise.race([work(), aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

function closedError(request: UpstreamRequest): TokenError {
  return new TokenError('CLOSED', `POST ${request.path}: the HTTP client was closed.`, { retryable: false })
}

function noReplyInTime(request: UpstreamRequest, reason: unknown): TokenError {
  return new TokenError(
    'UPSTREAM_UNAVAILABLE',
    `POST ${request.path}: no reply within the deadline. Check the network path to the platform, and any proxy on the way.`,
    { retryable: true, cause: scrubbedError(reason, secretsOf(request)) },
  )
}

function unreachable(request: UpstreamRequest, error: unknown): TokenError {
  const cause = scrubbedError(error, secretsOf(request))
  return new TokenError(
    'UPSTREAM_UNAVAILABLE',
    `POST ${request.path}: no reply (${cause.message}). Check the option domain, the network path to the platform, and http.dispatcher if one is set.`,
    { retryable: true, cause },
  )
}

const PUBLIC_FIELDS: ReadonlySet<string> = new Set(['app_id', 'tenant_key', 'client_id', 'grant_type', 'redirect_uri'])

function secretsOf(request: UpstreamRequest): string[] {
  const inBody = Object.entries(request.body).flatMap(([name, value]) => (PUBLIC_FIELDS.has(name) ? [] : [value]))
  return request.bearer === undefined ? inBody : [...inBody, request.bearer]
}

/** Failures to connect: before there is a connection nothing has been sent. */
const NEVER_CONNECTED: ReadonlySet<unknown> = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'UND_ERR_CONNECT_TIMEOUT',
])

/** Whether an error of `post` says for certain that the request did not leave this process. */
export function wasNeverSent({ code, cause }: TokenError): boolean {
  return code === 'UPSTREAM_UNAVAILABLE' && cause instanceof Error && NEVER_CONNECTED.has(Reflect.get(cause, 'code'))
}

/**
 * Checks an option that is a dispatcher; `undefined` passes.
 *
 * @param name of the option, with its path
 * @throws TypeError if it is not something that undici can send through
 */
export function checkDispatcher(value: unknown, name: string): Dispatcher | undefined {
  if (value === undefined || isDispatcher(value)) return value
  const got =
    typeof value === 'object' && value !== null ? `an instance of ${value.constructor?.name ?? 'nothing'}` : describeForeign(value)
  throw new TypeError(`${name} must be a dispatcher of undici (Agent, Pool, ProxyAgent, …) with a dispatch() function; got ${got}`)
}

/** The URL of a proxy is an easy mistake to make; one with an "@" may hold a password. */
function describeForeign(value: unknown): string {
  return typeof value === 'string' && value.includes('@') ? describe(value) : String(value)
}

function isDispatcher(value: unknown): value is Dispatcher {
  return typeof value === 'object' && value !== null && 'dispatch' in value && typeof value.dispatch === 'function'
}

/** The dispatcher that the process uses where no other is named. */
export function globalDispatcher(): Dispatcher {
  return getGlobalDispatcher()
}

/** A dispatcher for Node's own `fetch`, whose undici may be an older one, with other events. */
export function fetchDispatcher(dispatch: Dispatcher['dispatch']): NonNullable<RequestInit['dispatcher']> {
  // The types of Node are those of its oldest undici.
  return new Dispatcher1Wrapper({ dispatch } as Dispatcher) as unknown as NonNullable<RequestInit['dispatcher']>
}

/**
 * The base URL for the option `domain`, without a trailing slash: `feishu`, `lark`, or any https URL, whose path is kept as a prefix.
 * http is taken for this machine only, as the app secret would travel in clear.
 *
 * @throws TypeError for anything else
 */
export function resolveDomain(domain: unknown): string {
  if (domain === 'feishu') return 'https://open.feishu.cn'
  if (domain === 'lark') return 'https://open.larksuite.com'
  const url = typeof domain === 'string' && URL.canParse(domain) ? new URL(domain) : undefined
  if (url === undefined || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    // Text with an "@" may hold a password.
    const quotable = typeof domain === 'string' && !domain.includes('@')
    throw wrongDomain(`got ${quotable ? JSON.stringify(domain.slice(0, 100)) : typeof domain}`)
  }
  if (url.username !== '' || url.password !== '') throw wrongDomain(`got one with a user name or password for ${url.host}`)
  // By the text: a lone "?" or "#" leaves url.search and url.hash empty.
  if (/[?#]/.test(url.href)) throw wrongDomain(`got one with a query or fragment for ${url.host}`)
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
    throw wrongDomain(`got http for ${url.host}: the app secret would travel in clear, so use https (http is taken for localhost only)`)
  }
  return url.origin + url.pathname.replace(/\/+$/, '')
}

function wrongDomain(got: string): TypeError {
  return new TypeError(`domain must be 'feishu', 'lark' or a base URL such as https://open.feishu.cn; ${got}`)
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname.endsWith('.localhost') || hostname === '[::1]' || /^127(\.\d+){3}$/.test(hostname)
}
