import { type FeishuAuthOptions, type FeishuTokens, feishuAuth, feishuFetch } from '@tokenwell/core/feishu'
import type { FeishuSimulatorOptions, RequestRecord } from '@tokenwell/feishu-simulator'
import * as undici8 from 'undici'
import * as undici7 from 'undici-7'
import { onTestFinished } from 'vitest'
import { secret } from '../../../../tools/leak-search/index.ts'
import { createWorld, type Node, type World, withChance } from '../support/world.ts'

export const TENANT = 'tenant-1'
export const SCOPES = '/open-apis/contact/v3/scopes'

export interface Sent {
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: string | Uint8Array | AsyncIterable<Uint8Array>
  readonly signal?: AbortSignal
}

export interface Answered {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly body: AsyncIterable<Uint8Array>
  /** The response of `fetch`: when it is collected as garbage, a body that nobody has begun to read is cancelled. */
  readonly response?: object
}

/** One way to send requests with tokens. */
export interface Client {
  readonly name: string
  /** The interceptors are composed behind feishuAuth. */
  open(tokens: FeishuTokens, options?: FeishuAuthOptions): (url: string, sent?: Sent) => Promise<Answered>
}

type Auth = ReturnType<typeof feishuAuth>
type Request = typeof undici8.request

/** `request` and a dispatcher of one version of undici. */
function throughUndici(name: string, open: (auth: Auth) => { readonly request: unknown; readonly dispatcher: unknown }): Client {
  return {
    name,
    open(tokens, options) {
      const { request, dispatcher } = open(feishuAuth(tokens, options))
      return async (url, { method = 'GET', ...sent } = {}) => {
        // The types of undici do not know that it takes iterables.
        const { statusCode, headers, body } = await (request as Request)(url, { ...sent, method, dispatcher } as Parameters<Request>[1])
        return { status: statusCode, headers, body }
      }
    },
  }
}

/** An agent that ends with the test. */
function untilTheEnd<Agent extends { destroy(): Promise<void> }>(agent: Agent): Agent {
  onTestFinished(() => agent.destroy())
  return agent
}

const redirect8 = () => undici8.interceptors.redirect({ maxRedirections: 3 })

function answered(response: { status: number; headers: Iterable<[string, string]>; body: unknown }): Answered {
  const body = (response.body ?? []) as AsyncIterable<Uint8Array>
  return { status: response.status, headers: Object.fromEntries(response.headers), body, response }
}

function duplex({ body, ...sent }: Sent): RequestInit {
  const isStream = typeof body === 'object' && Symbol.asyncIterator in body
  return {
    ...sent,
    ...(body === undefined ? {} : { body: body as NonNullable<RequestInit['body']> }),
    ...(isStream ? { duplex: 'half' } : {}),
  }
}

const clients: readonly Client[] = [
  throughUndici('request() of undici 8', (auth) => ({
    request: undici8.request,
    dispatcher: untilTheEnd(new undici8.Agent()).compose(auth, redirect8()),
  })),
  throughUndici('request() of undici 8, redirects inside', (auth) => ({
    request: undici8.request,
    dispatcher: untilTheEnd(new undici8.Agent()).compose(redirect8(), auth),
  })),
  throughUndici('request() of undici 7', (auth) => ({
    request: undici7.request,
    dispatcher: untilTheEnd(new undici7.Agent()).compose(auth, undici7.interceptors.redirect({ maxRedirections: 3 })),
  })),
  {
    name: 'fetch() of undici 8',
    open(tokens, options) {
      const dispatcher = untilTheEnd(new undici8.Agent()).compose(feishuAuth(tokens, options))
      return async (url, sent = {}) => answered(await undici8.fetch(url, { ...duplex(sent), dispatcher } as undici8.RequestInit))
    },
  },
  {
    name: 'feishuFetch()',
    open(tokens, options) {
      const api = feishuFetch(tokens, { ...options, dispatcher: untilTheEnd(new undici8.Agent()) })
      return async (url, sent = {}) => answered(await api(url, duplex(sent)))
    },
  },
]

/** For `describe.each`. */
export const everyClient = clients.map((client) => [client.name, client] as const)

export async function textOf({ body }: Answered): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of body) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

export async function jsonOf(answer: Answered): Promise<{ readonly code: number; readonly data?: Readonly<Record<string, string>> }> {
  return JSON.parse(await textOf(answer))
}

/** A store app with a token for its tenant at hand, without jitter. Every token that is sent counts as a secret. */
export async function createReadyWorld(
  options: Partial<FeishuSimulatorOptions> = {},
): Promise<{ world: World; node: Node; tokens: FeishuTokens }> {
  const world = await createWorld(options)
  world.simulator.on('request', ({ authorization }) => {
    if (authorization !== undefined) secret(authorization.replace(/^Bearer /, ''), 'token')
  })
  const node = world.node(withChance(0))
  await node.tokens.tenantAccessToken(TENANT)
  return { world, node, tokens: node.tokens }
}

/** The requests to the API so far, oldest first. */
export function calls({ simulator }: World): RequestRecord[] {
  return simulator.requests.filter(({ endpoint }) => endpoint === 'api')
}

export function revoke({ simulator, appId }: World): void {
  simulator.revoke(appId, { next: 'new', tenantKey: TENANT })
}

export function tenantMints({ simulator }: World): number {
  return simulator.counters().requests.tenant_access_token
}
