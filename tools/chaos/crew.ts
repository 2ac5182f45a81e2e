import { type AppSetting, type CredentialName, type Entry, FleetNode, machineNow, type Point, type StoreAddress } from '@tokenwell/fleet'
import type { Life, Stop } from './account.ts'
import type { Pause } from './pause.ts'
import { type Planned, POINTS } from './plan.ts'

export interface CrewOptions {
  readonly size: number
  readonly address: (node: number) => StoreAddress
  readonly domain: string
  readonly app: AppSetting
  /** What callers draw depends on it, on the process and on which of its lives it is. */
  readonly seed: number
  /** What every process is asked for. */
  readonly credentials: readonly CredentialName[]
  readonly hear: (entry: Entry, token?: string) => void
}

interface Member {
  readonly node: FleetNode
  /** Somebody has ended it, or asked it to end. */
  isAsked: boolean
  unexpected?: string
  killedAt?: number
}

/** How long a process is waited for to come to a point, milliseconds. Not everyone gets there: others hold the lease. */
const ARRIVAL_MS = 8_000

/** One caller in every process each so many milliseconds. */
const CALL_EVERY_MS = 10

/** How long a process may take to close everything, milliseconds: well more than its most patient caller waits. */
const CLOSE_MS = 40_000

/** What the names of all lives of a process begin with. */
export function nameOfProcess(index: number): string {
  return `node ${index}`
}

/** The processes of a fleet, some of which may be gone or frozen at the moment. */
export class Crew {
  readonly stops: Stop[] = []
  readonly #options: CrewOptions
  readonly #running: (FleetNode | undefined)[]
  readonly #born: Member[] = []
  readonly #frozen = new Map<FleetNode, number>()
  #hasTraffic = false
  #isOver = false

  constructor(options: CrewOptions) {
    this.#options = options
    this.#running = Array.from({ length: options.size }, () => undefined)
  }

  async start(): Promise<void> {
    await Promise.all(this.#running.map((_, index) => this.#bear(index)))
  }

  /** From now on every process is asked for everything, also those that are yet to come. */
  async beginTraffic(): Promise<void> {
    this.#hasTraffic = true
    await Promise.all(this.awake.map((node) => this.#call(node)))
  }

  /** Those that run and are not frozen. */
  get awake(): readonly FleetNode[] {
    return this.#running.filter((node) => node !== undefined).filter((node) => node.isRunning && !this.#frozen.has(node))
  }

  get lives(): Life[] {
    return this.#born.map(({ node, unexpected, killedAt }) => ({
      node: node.name,
      output: node.output,
      ...(unexpected !== undefined && { unexpected }),
      ...(killedAt !== undefined && { killedAt }),
    }))
  }

  /** Of those that have not ended. By what their parent knows: in half an hour the system gives the number of one to another. */
  get pids(): number[] {
    return this.#born.filter(({ node }) => node.isRunning).map(({ node }) => node.pid)
  }

  /** Has this happen to one process within this time, and be over: it runs again. @returns whether there was an occasion */
  async strike(index: number, { kind, forMs }: Planned, pause: Pause, withinMs: number): Promise<boolean> {
    const node = this.#running[index]
    if (node === undefined || !node.isRunning) return false
    const point = POINTS.find((each) => kind.endsWith(each))
    if (point !== undefined && !(await this.#comesTo(node, point, pause, Math.min(withinMs, ARRIVAL_MS)))) return false
    if (kind.startsWith('freeze')) {
      this.#freeze(node)
      if (point !== undefined) void node.order('release', point).catch(() => {})
      await pause(forMs).finally(() => this.#thaw(node))
      return true
    }
    if (kind === 'roll') await this.#close(node)
    else await this.#kill(node)
    await pause(Math.min(forMs, 5_000))
    await this.#bear(index)
    return true
  }

  /** Asks each to close everything and to end by itself. */
  async close(): Promise<void> {
    this.#isOver = true
    await Promise.all(this.awake.map((node) => this.#close(node)))
  }

  /** Ends everything at once. */
  async kill(): Promise<void> {
    this.#isOver = true
    await Promise.all(this.#born.map(({ node }) => this.#kill(node)))
  }

  async #bear(index: number): Promise<void> {
    if (this.#isOver) return
    const { address, domain, app, hear } = this.#options
    const name = `${nameOfProcess(index)} life ${this.#born.filter(({ node }) => node.name.startsWith(`${nameOfProcess(index)} `)).length + 1}`
    const node = await FleetNode.start({ node: name, store: address(index), domain, app }, hear)
    const life: Member = { node, isAsked: false }
    this.#born.push(life)
    void node.ended.then(() => {
      if (!life.isAsked) life.unexpected = `ended by itself (${node.ending})`
    })
    this.#running[index] = node
    if (this.#isOver) return this.#kill(node)
    if (this.#hasTraffic) await this.#call(node)
  }

  async #call(node: FleetNode): Promise<void> {
    await node.order('traffic', { of: this.#options.credentials, everyMs: CALL_EVERY_MS, seed: this.#options.seed })
  }

  async #comesTo(node: FleetNode, point: Point, pause: Pause, withinMs: number): Promise<boolean> {
    try {
      const { arrived } = await node.holdAt(point)
      const came = await Promise.race([arrived.then(() => true), pause(withinMs).then(() => false), node.ended.then(() => false)])
      if (!came) await node.order('release', point)
      return came
    } catch (error) {
      // Nobody but itself ends it here.
      if (node.isRunning) throw error
      return false
    }
  }

  #freeze(node: FleetNode): void {
    this.#frozen.set(node, machineNow())
    node.stop()
  }

  #thaw(node: FleetNode): void {
    const from = this.#frozen.get(node)
    if (from === undefined) return
    node.resume()
    this.#frozen.delete(node)
    this.stops.push({ node: node.name, from, to: machineNow() })
  }

  async #kill(node: FleetNode): Promise<void> {
    const life = this.#lifeOf(node)
    this.#thaw(node)
    if (!node.isRunning) return
    life.isAsked = true
    life.killedAt ??= machineNow()
    await node.kill()
  }

  async #close(node: FleetNode): Promise<void> {
    const life = this.#lifeOf(node)
    life.isAsked = true
    const overdue = Promise.withResolvers<'overdue'>()
    const timer = setTimeout(() => overdue.resolve('overdue'), CLOSE_MS)
    const ending = await Promise.race([node.close(), overdue.promise]).finally(() => clearTimeout(timer))
    if (ending === 'overdue') await node.kill()
    if (ending !== 0) life.unexpected = `did not end by itself after it was closed (${ending})`
  }

  #lifeOf(node: FleetNode): Member {
    const life = this.#born.find((each) => each.node === node)
    if (life === undefined) throw new Error(`${node.name} is none of this crew`)
    return life
  }
}
