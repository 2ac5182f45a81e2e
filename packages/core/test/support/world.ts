import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createTokenManager, type TokenEvent, type TokenManager, type TokenManagerOptions, type TokenStore } from '@tokenwell/core'
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
export async function createWorld(options: Partial<FeishuSimulatorOptions> & { readonly ticket?: boolean } = {}): Promise<World> {
  const { ticket = true, ...simulated } = options
  const appId = 'cli_world'
  const appSecret = randomSecret('app secret')
  const verificationToken = randomSecret('verification token')
  const encryptKey = randomSecret('encrypt key')
  const clock = virtualClock()
  const start = clock.wall()
  let suspended = 0
  const simulator = await startFeishuSimulator({
    apps: [{ appId, appSecret, verificationToken, encryptKey }],
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

/** The error a promise rejects with, recorded for the leak search; fails when it resolves. */
export async function errorOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise
  } catch (error) {
    record('error', error)
    return error
  }
  throw new Error('expected a rejection')
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
  throw new Error('the condition did not come to hold')
}
