// One node of a fleet: a service as a user would write it, with the public API and a clock that can be moved on. Takes orders from its
// parent and tells it everything it does.
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { createTokenManager, type Token, type TokenEvent, type TokenHandle, type TokenManager } from '@tokenwell/core'
import { createFeishuTokens, createNodeEventHandler, type FeishuTokens } from '@tokenwell/core/feishu'
import { drawsOf } from '../../packages/testkit/src/simulation/random.ts'
import { callEach } from './call-each.ts'
import { Callers } from './callers.ts'
import { type Entry, machineNow } from './entry.ts'
import { observedDispatcher } from './observed-dispatcher.ts'
import { type ObservedStore, observedStore } from './observed-store.ts'
import type { CredentialName, Message, Name, OrderMessage, Orders, Setting } from './orders.ts'
import { Points } from './points.ts'
import { type OpenStore, openStore } from './store-address.ts'
import { Traffic } from './traffic.ts'
import { TravellingClock } from './travelling-clock.ts'

interface Service {
  readonly node: string
  readonly domain: string
  readonly opened: OpenStore
  readonly observed: ObservedStore
  readonly manager: TokenManager
  readonly tokens: FeishuTokens
  readonly server: Server
  readonly callers: Callers
  traffic?: Traffic
  readonly points: Points
  closeDispatcher(): Promise<void>
}

/** Core's default. */
const NAMESPACE = 'tokenwell'

/** How long a caller of the platform's API waits for it, milliseconds. */
const API_MS = 2_000

const clock = new TravellingClock()
let service: Service | undefined

/** @param then is called when it has left the process, or cannot */
function say(message: Message, then = (): void => {}): void {
  // A parent that is gone hears nothing; see `disconnect` below.
  if (process.connected) process.send?.(message, undefined, undefined, then)
  else then()
}

const tell = (entry: Entry) => say({ entry })

function noted(node: string, event: TokenEvent): void {
  const version = 'version' in event ? { version: event.version } : {}
  tell({ at: machineNow(), node, kind: 'event', key: event.key, type: event.type, ...version })
}

async function open({ node, store, domain, app, storeTimeoutMs, encryption }: Setting): Promise<Service> {
  const points = new Points(node, tell)
  const opened = await openStore(store)
  const observed = observedStore(opened.store, { node, points, tell })
  const manager = createTokenManager({
    store: observed.store,
    clock,
    onEvent: (event) => noted(node, event),
    ...(storeTimeoutMs !== undefined && { storeTimeoutMs }),
    ...(encryption !== undefined && { encryption }),
  })
  const dispatcher = observedDispatcher(node, points, tell)
  const { appId, appSecret, verificationToken, encryptKey } = app
  const tokens = createFeishuTokens({ appId, appSecret, manager, domain, events: { verificationToken, encryptKey }, http: { dispatcher } })
  const server = createServer(createNodeEventHandler(tokens)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const callers = new Callers(tokens.app, { node, wall: () => clock.wall(), rejectedUpTo: () => observed.rejectedUpTo(), tell })
  return { node, domain, opened, observed, manager, tokens, server, callers, points, closeDispatcher: () => dispatcher.close() }
}

function running(): Service {
  if (service === undefined) throw new Error('the node has not been started')
  return service
}

function handleOf({ tokens }: Service, { kind, id }: CredentialName): TokenHandle {
  if (kind === 'app') return tokens.app
  return kind === 'tenant' ? tokens.tenant(id) : tokens.user(id)
}

/** An API that says whether a token is good. */
async function callApi(domain: string, token: Token): Promise<unknown> {
  const headers = { authorization: `Bearer ${token.value}` }
  return (await fetch(`${domain}/open-apis/any`, { headers, signal: AbortSignal.timeout(API_MS) })).json()
}

async function untilMoment(at: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, Math.max(at - machineNow() - 3, 0)))
  // The last moments without the event loop: a timer is not punctual enough for a common start.
  while (machineNow() < at);
}

const orders: { readonly [Each in Name]: (argument: Parameters<Orders[Each]>[0]) => Promise<ReturnType<Orders[Each]>> } = {
  async start(setting) {
    service = await open(setting)
    return { eventUrl: `http://127.0.0.1:${(service.server.address() as AddressInfo).port}/events` }
  },
  async burst({ callers, at, timeoutMs }) {
    await untilMoment(at)
    const { callers: own } = running()
    await own.call(callers, timeoutMs === undefined ? {} : { timeoutMs })
    return own.report()
  },
  async tokens({ of, at = 0, timeoutMs }) {
    await untilMoment(at)
    return callEach(
      of.map((name) => handleOf(running(), name)),
      timeoutMs === undefined ? {} : { timeoutMs },
    )
  },
  async authorize({ user, code }) {
    await running().tokens.user(user).authorize({ code })
  },
  async load({ callers, everyMs }) {
    running().callers.startLoad(callers, everyMs)
  },
  async rest() {
    await running().callers.endLoad()
    return running().callers.report()
  },
  async traffic({ of, everyMs, seed }) {
    const its = running()
    const { node, domain, observed } = its
    const traffic = new Traffic(
      of.map((name) => handleOf(its, name)),
      {
        node,
        draws: drawsOf(seed, `traffic ${node}`),
        wall: () => clock.wall(),
        rejectedUpTo: (key) => observed.rejectedUpTo(`${NAMESPACE}/${key}`),
        api: (token) => callApi(domain, token),
        tell: (entry, token) => say(token === undefined ? { entry } : { entry, token }),
      },
    )
    its.traffic = traffic
    traffic.start(everyMs)
  },
  async still() {
    const { callers, observed } = running()
    callers.isStill = true
    await observed.still()
    clock.still()
    await observed.still()
  },
  async idle() {
    // Whatever has come over a socket by now is dealt with first, and what follows from it.
    for (let turn = 0; turn < 3; turn++) await nextTurn()
    return running().observed.isIdle
  },
  async pass(ms) {
    const { callers, observed } = running()
    clock.pass(ms)
    observed.goOn()
    callers.isStill = false
  },
  async hold(point) {
    running().points.hold(point)
  },
  async release(point) {
    running().points.release(point)
  },
  async reject() {
    const { last } = running().callers
    if (last === undefined) throw new Error('no token has been served')
    await running().tokens.app.reject(last)
    return { version: last.version }
  },
  async status() {
    return running().tokens.status()
  },
  async close() {
    const { node, callers, traffic, tokens, manager, server, opened, closeDispatcher } = running()
    await callers.endLoad()
    await traffic?.end()
    await tokens.close()
    await manager.close()
    server.close()
    server.closeAllConnections()
    await opened.end()
    await closeDispatcher()
    const [asked, settled] = [callers.asked + (traffic?.asked ?? 0), callers.settled + (traffic?.settled ?? 0)]
    tell({ at: machineNow(), node, kind: 'closed', asked, settled })
  },
}

async function obey({ id, name, argument }: OrderMessage): Promise<void> {
  // Whatever still keeps the process alive then is a leak. What a busy parent has not read by then would be lost.
  const then = () => {
    if (name === 'close' && process.connected) process.disconnect()
  }
  try {
    const value: unknown = await (orders[name] as (argument: unknown) => Promise<unknown>)(argument)
    say({ reply: id, value }, then)
  } catch (error) {
    say({ reply: id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }, then)
  }
}

process.on('message', (message: OrderMessage) => void obey(message))
// A parent that ended without a word.
process.on('disconnect', () => {
  setTimeout(() => process.exit(70), 10_000).unref()
})
