import { AssertionError } from 'node:assert'
import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, request as openRequest, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  createTokenManager,
  type Snapshot,
  type TokenEvent,
  type TokenManager,
  type TokenManagerOptions,
  type TokenStore,
} from '@tokenwell/core'
import { createFeishuTokens, createNodeEventHandler, type FeishuTokens, type FeishuTokensOptions } from '@tokenwell/core/feishu'
import { type FeishuSimulator, type FeishuSimulatorOptions, startFeishuSimulator } from '@tokenwell/feishu-simulator'
import { memoryStore } from '@tokenwell/store-memory'
import { type VirtualClock, virtualClock } from '@tokenwell/testkit'
import { Agent } from 'undici'
import { onTestFinished } from 'vitest'
import { randomSecret, record, secret } from '../../../../tools/leak-search/index.ts'

export const MINUTE = 60_000
export const HOUR = 60 * MINUTE
export const MINT = 'app_access_token'
export const RESEND = 'app_ticket_resend'

export interface World {
  readonly appId: string
  readonly appSecret: string
  readonly verificationToken: string
  readonly encryptKey: string
  /** The clock of the nodes. */
  readonly clock: VirtualClock
  readonly simulator: FeishuSimulator
  readonly store: TokenStore
  /** Where the platform pushes events to: the first node. */
  readonly eventUrl: string
  /** Starts one more node: a manager of its own on the shared store. Closed when the test ends. */
  node(options?: NodeOptions): Node
  /** The machine sleeps: the upstream's time goes on, the node's monotonic clock does not. */
  suspend(ms: number): void
  /** Token requests so far. */
  mints(): number
  resends(): number
}

export interface NodeOptions {
  readonly store?: TokenStore
  readonly manager?: Partial<TokenManagerOptions>
  readonly tokens?: Partial<FeishuTokensOptions>
}

export interface Node {
  readonly tokens: FeishuTokens
  readonly manager: TokenManager
  readonly events: TokenEvent[]
}

/** Everything a Feishu test needs over real HTTP, on virtual time; it ends with the test. */
export async function createWorld(
  options: Partial<FeishuSimulatorOptions> & { readonly ticket?: boolean; readonly appType?: 'store' | 'custom' } = {},
): Promise<World> {
  const { appType = 'store', ticket = appType === 'store', ...simulated } = options
  const appId = 'cli_world'
  const appSecret = randomSecret('app secret')
  const verificationToken = randomSecret('verification token')
  const encryptKey = randomSecret('encrypt key')
  const clock = virtualClock()
  const start = clock.wall()
  let suspended = 0
  const simulator = await startFeishuSimulator({
    apps: [{ type: appType, appId, appSecret, verificationToken, encryptKey }],
    // The upstream's time is nobody's to step; only a sleep of the machine passes there and not on the node.
    clock: {
      wall: () => start + clock.monotonic() + suspended,
      schedule: (run: () => void, ms: number) => clock.schedule(run, ms),
    },
    pushTickets: 'manual',
    ...simulated,
  })
  simulator.on('request', ({ fields }) => {
    if (typeof fields.app_ticket === 'string') secret(fields.app_ticket, 'app ticket')
  })
  const dispatcher = new Agent()
  const store = memoryStore({ clock })
  const nodes: Node[] = []

  const callback = createServer((request, response) => {
    const [first] = nodes
    if (first === undefined) response.writeHead(503).end()
    else void createNodeEventHandler(first.tokens, { clock })(request, response)
  })
  await new Promise<void>((resolve) => callback.listen(0, '127.0.0.1', resolve))
  const eventUrl = `http://127.0.0.1:${(callback.address() as AddressInfo).port}/events`
  simulator.setEventUrl(appId, eventUrl)

  onTestFinished(async () => {
    for (const { manager } of nodes) await manager.close()
    callback.closeAllConnections()
    await new Promise((resolve) => callback.close(resolve))
    await dispatcher.destroy()
    await simulator.close()
    await quiet()
    if (clock.pending > 0) throw new AssertionError({ message: `${clock.pending} timers were left running` })
  })

  const world: World = {
    appId,
    appSecret,
    verificationToken,
    encryptKey,
    clock,
    simulator,
    store,
    eventUrl,
    node(given = {}) {
      const events: TokenEvent[] = []
      const manager = createTokenManager({
        store: given.store ?? store,
        clock,
        onEvent: (event) => {
          record('event', event)
          events.push(event)
        },
        ...given.manager,
      })
      const tokens = createFeishuTokens({
        appId,
        appSecret,
        appType,
        manager,
        domain: simulator.url,
        events: { verificationToken, encryptKey },
        http: { dispatcher },
        ...given.tokens,
      })
      const node = { tokens, manager, events }
      nodes.push(node)
      return node
    },
    suspend(ms) {
      suspended += ms
      clock.suspend(ms)
    },
    mints: () => simulator.counters().requests[MINT],
    resends: () => simulator.counters().requests[RESEND],
  }
  if (ticket) await giveTicket(world)
  return world
}

/** Puts a valid ticket into the shared store, as if another node had received it. */
export async function giveTicket(world: World): Promise<string> {
  const value = secret(world.simulator.issueTicket(world.appId), 'app ticket')
  const { tokens } = world.node()
  await tokens.acceptAppTicket({ ticket: value, eventTime: new Date(world.clock.wall()) })
  return value
}

/** Whether a promise has settled after one turn of the event loop. */
export async function settlesInOneTurn(promise: Promise<unknown>): Promise<boolean> {
  let settled = false
  const mark = () => {
    settled = true
  }
  promise.then(mark, mark)
  await new Promise<void>((resolve) => setImmediate(resolve))
  return settled
}

/** Lets real I/O go on, with the virtual clock standing still, until a condition holds. */
export async function eventually(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 200_000; turn += 1) {
    if (condition()) return
    await new Promise<void>((resolve) => setImmediate(resolve))
  }
  throw new AssertionError({ message: 'the condition did not come to hold' })
}

/** Turns of the event loop in which a request on the loopback interface comes to its end, several times over. */
const QUIET_TURNS = 60

/** Lets the I/O that is under way come to its end, with the virtual clock standing still. */
export async function quiet(): Promise<void> {
  for (let turn = 0; turn < QUIET_TURNS; turn += 1) await new Promise<void>((resolve) => setImmediate(resolve))
}

/** Lets virtual time pass as real time does: what a timer starts gets its answers before the next timer is due. */
export async function pass(clock: VirtualClock, ms: number): Promise<void> {
  const end = clock.monotonic() + ms
  await quiet()
  for (let next = clock.nextInMs; next !== undefined && clock.monotonic() + next <= end; next = clock.nextInMs) {
    await clock.advance(next)
    await quiet()
  }
  await clock.advance(end - clock.monotonic())
  await quiet()
}

/** What the shared store holds for a credential of a node. */
export async function recordOf(world: World, node: Node, name: 'app-access-token' | 'app-ticket' | 'app-ticket-resend'): Promise<Snapshot> {
  const key = `tokenwell/${node.tokens.app.key.replace(/app-access-token$/, name)}`
  const [snapshot] = await world.store.read([key], { signal: new AbortController().signal })
  if (snapshot === undefined) throw new AssertionError({ message: `the store did not answer for ${key}` })
  return snapshot
}

/** The tickets that the upstream was sent, in order. */
export function ticketsSent(world: World): unknown[] {
  return world.simulator.requests.filter(({ endpoint }) => endpoint === MINT).map(({ fields }) => fields.app_ticket)
}

/** Kills the token of the app and has the node find out: the next token is newly minted. */
export async function renew(world: World, { tokens }: Node): Promise<string> {
  const token = await tokens.app.get()
  world.simulator.revoke(world.appId, { next: 'new' })
  await tokens.app.reject(token)
  return tokens.appAccessToken()
}

/** Listens on a free port until the test ends; returns the base URL. */
export async function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

export interface Posted {
  readonly status: number
  readonly text: string
}

const PIECE = 16 * 1024

/** POSTs a body piece by piece, on a connection of its own, until it is answered: a server may answer before it has read everything. */
export async function post(url: string, { headers, body }: { headers?: Readonly<Record<string, string>>; body: string }): Promise<Posted> {
  const bytes = Buffer.from(body)
  const request = openRequest(url, { method: 'POST', agent: false, headers: { ...headers, 'content-length': bytes.length } })
  let answered = false
  const response = new Promise<IncomingMessage>((resolve, reject) => {
    request.on('error', reject)
    request.on('response', (incoming) => {
      answered = true
      resolve(incoming)
    })
  })
  response.catch(() => {
    answered = true
  })
  request.flushHeaders()
  for (let at = 0; at < bytes.length && !answered; at += PIECE) {
    request.write(bytes.subarray(at, at + PIECE))
    if (bytes.length > PIECE) await quiet()
  }
  if (!answered) request.end()
  const incoming = await response
  const chunks: Buffer[] = []
  for await (const chunk of incoming) chunks.push(chunk as Buffer)
  request.destroy()
  return { status: incoming.statusCode ?? 0, text: Buffer.concat(chunks).toString() }
}

/** When token requests reached the upstream, milliseconds of the upstream's clock, oldest first. */
export function mintTimes(world: World): number[] {
  return world.simulator.requests.filter(({ endpoint }) => endpoint === MINT).map(({ receivedAtMs }) => receivedAtMs)
}

/** The most of these moments that lie within any one minute. */
export function mostInAMinute(times: readonly number[]): number {
  return times.reduce((most, start) => Math.max(most, times.filter((time) => time >= start && time < start + MINUTE).length), 0)
}

/** Makes every jitter the same draw from [0, 1). */
export function withChance(fraction: number): NodeOptions {
  return { manager: { random: { fraction: () => fraction, id: randomUUID } } }
}

/** A promise with its outcome to look at: `pending` until it settles. */
export function watched<T>(promise: Promise<T>): { outcome: 'pending' | 'resolved' | 'rejected'; readonly promise: Promise<T> } {
  const watch: { outcome: 'pending' | 'resolved' | 'rejected'; readonly promise: Promise<T> } = { outcome: 'pending', promise }
  promise.then(
    () => {
      watch.outcome = 'resolved'
    },
    (error: unknown) => {
      record('error', error)
      watch.outcome = 'rejected'
    },
  )
  return watch
}

/** Calls any API of the platform with a token, as an app does; returns the body. */
export async function callApi(world: World, token: string): Promise<{ readonly code: number; readonly msg: string }> {
  const response = await fetch(`${world.simulator.url}/open-apis/contact/v3/scopes`, { headers: { authorization: `Bearer ${token}` } })
  return (await response.json()) as { code: number; msg: string }
}
