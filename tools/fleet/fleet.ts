import { randomBytes } from 'node:crypto'
import type { EncryptionOptions } from '@tokenwell/core'
import { type DeliveryAttempt, type FeishuSimulator, startFeishuSimulator } from '@tokenwell/feishu-simulator'
import { type VirtualClock, virtualClock } from '@tokenwell/testkit'
import { type Entry, type Mark, machineNow, type Point } from './entry.ts'
import { FleetNode } from './node.ts'
import type { AppSetting, CallReport, CredentialName, TokensReport } from './orders.ts'
import type { StoreAddress } from './store-address.ts'

export interface FleetOptions {
  /** How many processes. */
  readonly nodes: number
  /** Where their store is; told for each node, so that one of them can be given a way of its own. */
  readonly store: (index: number) => StoreAddress
  /** Moves every deadline in the store nearer by so many milliseconds, as if that time had passed. */
  readonly passInStore: (ms: number) => Promise<void>
  /** Default: secrets drawn for this fleet. */
  readonly secret?: (label: string) => string
  /** Default: core's. */
  readonly storeTimeoutMs?: number
  /** How the processes seal what they store; `add` can say otherwise. Default: not at all. */
  readonly encryption?: EncryptionOptions
}

/** How far ahead a common start is set, milliseconds: every process must have been told by then. */
const START_IN_MS = 150

const MINUTE_MS = 60_000

/** How long a test waits for what must come, milliseconds. */
const LONGEST_MS = 30_000

/**
 * Real processes that share one store and one simulated platform. Time passes for all of them, for the platform and for the store when
 * the test says so; requests travel in real time.
 */
export class Fleet {
  readonly platform: FeishuSimulator
  readonly app: AppSetting
  /** Everything that was seen and done so far. */
  readonly history: Entry[] = []
  readonly #options: FleetOptions
  readonly #clock: VirtualClock
  readonly #nodes: FleetNode[] = []
  readonly #observers = new Set<() => void>()
  #started = 0

  constructor(options: FleetOptions, platform: FeishuSimulator, clock: VirtualClock, app: AppSetting) {
    this.#options = options
    this.platform = platform
    this.#clock = clock
    this.app = app
  }

  /** The processes that run. */
  get nodes(): readonly FleetNode[] {
    return this.#nodes.filter((node) => node.isRunning)
  }

  /** Starts one more process. */
  async add(encryption: EncryptionOptions | undefined = this.#options.encryption): Promise<FleetNode> {
    const index = this.#started++
    const node = await FleetNode.start(
      {
        node: `node ${index}`,
        store: this.#options.store(index),
        domain: this.platform.url,
        app: this.app,
        ...(this.#options.storeTimeoutMs !== undefined && { storeTimeoutMs: this.#options.storeTimeoutMs }),
        ...(encryption !== undefined && { encryption }),
      },
      (entry) => {
        this.history.push(entry)
        for (const look of this.#observers) look()
      },
    )
    this.#nodes.push(node)
    return node
  }

  /** The platform pushes a new ticket, or this one, to this node, with the machine's true time: the store compares it with its own. */
  async pushTicket(node: FleetNode, ticket?: string): Promise<DeliveryAttempt> {
    this.platform.setEventUrl(this.app.appId, node.eventUrl)
    const ts = (Date.now() / 1_000).toFixed(6)
    return this.platform.pushTicket(this.app.appId, { ts, ...(ticket !== undefined && { ticket }) })
  }

  /**
   * So many callers in every process, all at the same moment, with core's patience or this one.
   * @returns a report for each process that lived to give it
   */
  async burst(callers: number, nodes: readonly FleetNode[] = this.nodes, timeoutMs?: number): Promise<CallReport[]> {
    return together(nodes, (node, at) => node.order('burst', { callers, at, ...(timeoutMs !== undefined && { timeoutMs }) }))
  }

  /**
   * One caller for each of these credentials in every process, all at the same moment.
   * @returns a report for each process that lived to give it
   */
  async tokens(of: readonly CredentialName[], nodes: readonly FleetNode[] = this.nodes, timeoutMs?: number): Promise<TokensReport[]> {
    return together(nodes, (node, at) => node.order('tokens', { of, at, ...(timeoutMs !== undefined && { timeoutMs }) }))
  }

  async startLoad(callers = 20, everyMs = 10): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.order('load', { callers, everyMs })))
  }

  async endLoad(): Promise<CallReport[]> {
    return Promise.all(this.nodes.map((node) => node.order('rest', undefined)))
  }

  /**
   * Time passes for everybody at once. Processes begin nothing meanwhile: an answer of the store from before, counted by a clock from
   * after, would be wrong. No request may be under way at the platform.
   */
  async pass(ms: number): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.order('still', undefined)))
    await this.#clock.advance(ms)
    await this.#options.passInStore(ms)
    this.history.push({ at: machineNow(), node: 'test', kind: 'passed', ms })
    await Promise.all(this.nodes.map((node) => node.order('pass', ms)))
  }

  /** Whether everybody waits for time to pass: no process has anything to do, and neither store nor platform is asked anything. */
  async isIdle(): Promise<boolean> {
    const seen = this.history.length
    const idle = await answersOf(this.nodes, (node) => node.order('idle', undefined))
    const isAsked = this.platform.requests.some(({ end }) => end === 'open')
    return !isAsked && this.history.length === seen && !idle.includes(false)
  }

  /** Time passes until the token is due for renewal in every process, whatever jitter was drawn, and still good for a quarter of an hour. */
  async passToRenewal(): Promise<void> {
    await this.pass(105 * MINUTE_MS)
  }

  /** Time passes until every token there is has ended. */
  async passToEnd(): Promise<void> {
    await this.pass(121 * MINUTE_MS)
  }

  /** Time passes for the platform alone. */
  async passOnPlatform(ms: number): Promise<void> {
    await this.#clock.advance(ms)
  }

  /** The first of all nodes that comes to this point; it stays there, the others are let through. */
  async holdFirst(point: Point): Promise<FleetNode> {
    const nodes = this.nodes
    const held = await Promise.all(nodes.map(async (node) => ({ node, arrived: (await node.holdAt(point)).arrived })))
    const first = await Promise.race(held.map(({ node, arrived }) => arrived.then(() => node)))
    await Promise.all(nodes.filter((node) => node !== first).map((node) => node.order('release', point)))
    return first
  }

  /** Resolves once the history shows it; looked at whenever something is added. */
  async when(what: string, isSo: (history: readonly Entry[]) => boolean): Promise<void> {
    if (isSo(this.history)) return
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const overdue = setTimeout(() => reject(new Error(`${what}: not so after ${LONGEST_MS} ms`)), LONGEST_MS)
    const look = () => {
      if (isSo(this.history)) resolve()
    }
    this.#observers.add(look)
    try {
      await promise
    } finally {
      clearTimeout(overdue)
      this.#observers.delete(look)
    }
  }

  /** Every process that runs and is not frozen serves a token of this version or a newer one. It has to be asked for one meanwhile. */
  async served(version: number, nodes: readonly FleetNode[] = this.nodes): Promise<void> {
    const names = new Set(nodes.map(({ name }) => name))
    await this.when(`${names.size} nodes serve version ${version}`, (history) => {
      const serving = history.filter((entry) => entry.kind === 'served' && entry.version >= version && names.has(entry.node))
      return new Set(serving.map(({ node }) => node)).size === names.size
    })
  }

  mark(what: Mark): void {
    this.history.push({ at: machineNow(), node: 'test', kind: 'mark', what })
  }

  /** How many tokens the platform was asked for. */
  get requests(): number {
    return this.platform.counters().requests.app_access_token
  }

  /** Closes every process that still runs. @returns how each of them ended; 0 for one that nothing kept alive */
  async close(): Promise<(number | NodeJS.Signals | null)[]> {
    const ended = await Promise.all(this.nodes.map((node) => node.close()))
    await this.platform.close()
    return ended
  }

  /** Ends everything at once, whatever state it is in. */
  async kill(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill()))
    await this.platform.close()
  }

  /** Whatever the processes have printed: nothing, if all is well. */
  get output(): string {
    return this.#nodes.map(({ output }) => output).join('')
  }
}

/** All at the same moment. Those that do not live to answer are left out. */
function together<T>(nodes: readonly FleetNode[], order: (node: FleetNode, at: number) => Promise<T>): Promise<T[]> {
  const at = machineNow() + START_IN_MS
  return answersOf(nodes, (node) => order(node, at))
}

/** What those answer that live to do so. */
async function answersOf<T>(nodes: readonly FleetNode[], order: (node: FleetNode) => Promise<T>): Promise<T[]> {
  const answers = await Promise.all(
    nodes.map(async (node) => {
      try {
        return { answer: await order(node) }
      } catch (error) {
        if (node.isRunning) throw error
        return undefined
      }
    }),
  )
  return answers.flatMap((each) => (each === undefined ? [] : [each.answer]))
}

export async function startFleet(options: FleetOptions): Promise<Fleet> {
  const secret = options.secret ?? (() => randomBytes(16).toString('hex'))
  const app: AppSetting = {
    appId: 'cli_fleet',
    appSecret: secret('app secret'),
    verificationToken: secret('verification token'),
    encryptKey: secret('encrypt key'),
  }
  // Near the true time: a ticket's own time is compared with the store's clock.
  const clock = virtualClock({ wallMs: Date.now() })
  const platform = await startFeishuSimulator({ apps: [app], clock, pushTickets: 'manual' })
  const fleet = new Fleet(options, platform, clock, app)
  try {
    await Promise.all(Array.from({ length: options.nodes }, () => fleet.add()))
  } catch (error) {
    await fleet.kill()
    throw error
  }
  return fleet
}
