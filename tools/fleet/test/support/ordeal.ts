import { expect, type TestContext } from 'vitest'
import { randomSecret, record } from '../../../leak-search/index.ts'
import { type CallReport, type Fleet, machineNow, type StoreAddress, startFleet, violations } from '../../index.ts'
import type { Fault } from './fault.ts'
import type { FaultRow } from './fault-table.ts'
import { nodesWith } from './history.ts'
import { until } from './until.ts'

/** Where the records are: told to every process, and a way to move their deadlines. `name` keeps them apart from others'. */
export interface Place {
  address(index: number, name: string): StoreAddress
  passInStore(ms: number, name: string): Promise<void>
}

/** Two tries of the store, and what a loaded machine adds: beyond it a call hangs. Milliseconds. */
const HANG_MS = 2 * 1_000 + 2_000

let ordeals = 0

/** `between`: done once, when time has passed for the store and before it passes for the processes. */
interface Passing {
  between: (() => Promise<void>) | undefined
}

/** A fleet that something is done to: always under load, from the first token to the end. */
export class Ordeal {
  readonly fleet: Fleet
  readonly #passing: Passing
  #rotations = 0
  #struckAt = 0
  #healedAt = 0
  #recoveryMs = 0
  #longestMs = 0
  #callers = 0
  #blocked = 0

  private constructor(fleet: Fleet, passing: Passing) {
    this.fleet = fleet
    this.#passing = passing
  }

  /** Nothing has been asked for yet. */
  static async start(context: Pick<TestContext, 'onTestFinished'>, place: Place, nodes = 4): Promise<Ordeal> {
    const name = `ordeal-${process.pid}-${ordeals++}`
    const passing: Passing = { between: undefined }
    const fleet = await startFleet({
      nodes,
      store: (index) => place.address(index, name),
      passInStore: async (ms) => {
        await place.passInStore(ms, name)
        await passing.between?.()
        passing.between = undefined
      },
      secret: randomSecret,
    })
    context.onTestFinished(() => fleet.kill(), 60_000)
    return new Ordeal(fleet, passing)
  }

  /** Every process has the first token, and is asked for it from now on. `knowing`: so many processes have been pushed the ticket. */
  async begin(knowing = this.fleet.nodes.length): Promise<void> {
    await this.firstToken(knowing)
    await this.fleet.startLoad()
  }

  async firstToken(knowing: number): Promise<void> {
    await this.pushTicket(knowing)
    expect((await this.fleet.burst(10)).map(({ errors }) => errors)).toEqual(this.fleet.nodes.map(() => ({})))
    expect(this.fleet.requests).toBe(1)
    await this.agreed(1)
  }

  /** The same event to so many processes, as if the platform had redelivered it. */
  async pushTicket(knowing: number): Promise<void> {
    const [first, ...others] = this.fleet.nodes.slice(0, knowing)
    if (first === undefined) throw new Error('a ticket for nobody')
    const { delivery, status } = await this.fleet.pushTicket(first)
    expect(status).toBe(200)
    for (const node of others) {
      this.fleet.platform.setEventUrl(this.fleet.app.appId, node.eventUrl)
      expect((await this.fleet.platform.redeliver(delivery)).status).toBe(200)
    }
  }

  /**
   * A rotation in the middle of which the fault strikes. Resolves when every process serves the new token, and is done with it.
   * @returns how many requests it took
   */
  async rotateThrough(fault: Fault): Promise<number> {
    const { fleet } = this
    const before = this.version
    const requests = fleet.requests
    const from = fleet.history.length
    let holder = -1
    const strike = async () => {
      this.#struckAt = machineNow()
      if (fault.losesData) fleet.mark('losing-data')
      await fault.strike(holder)
      fleet.mark(fault.losesData ? 'data-loss' : 'fault')
    }
    if (fault.moment === 'claim') {
      this.#passing.between = strike
      await fleet.passToRenewal()
    } else {
      this.#passing.between = fault.beforehand
      const upstream = fleet.platform.fault('app_access_token', { kind: 'hang' })
      const asked = fleet.platform.next('held')
      const held = fault.moment === 'publish' ? fleet.holdFirst('publishing') : undefined
      await fleet.passToRenewal()
      await asked
      // Whoever has not been answered yet would claim into the fault.
      await fleet.when('all others are held', () => nodesWith(fleet.history.slice(from), 'held').size >= fleet.nodes.length - 1)
      holder = Number([...nodesWith(fleet.history.slice(from), 'granted')][0]?.replace('node ', ''))
      if (held === undefined) {
        await strike()
        upstream.release()
      } else {
        upstream.release()
        const publisher = await held
        await strike()
        await publisher.order('release', 'publishing')
      }
    }
    await fault.heal?.(holder)
    this.healed()
    await this.recovered(before + 1)
    this.#rotations += 1
    return fleet.requests - requests
  }

  healed(): void {
    this.fleet.mark('healed')
    this.#healedAt = machineNow()
  }

  /** All is as if there had been no fault. */
  async recovered(version: number): Promise<void> {
    await this.agreed(version)
    this.#recoveryMs = Math.max(this.#recoveryMs, Math.max(...this.#firstServed(version)) - this.#healedAt)
  }

  /** A rotation as ever. */
  async rotate(): Promise<void> {
    const { fleet } = this
    const before = this.version
    const requests = fleet.requests
    await fleet.passToRenewal()
    await this.agreed(before + 1)
    this.#rotations += 1
    expect(fleet.requests).toBe(requests + 1)
  }

  /** Every process serves the same token, of this version or a newer one, and has nothing left to do for it. */
  async agreed(version: number): Promise<void> {
    let said = ''
    try {
      await until('all agree', async () => {
        const statuses = await Promise.all(this.fleet.nodes.map((node) => node.order('status', undefined)))
        const own = statuses.map((keys) => keys.find(({ key }) => key.endsWith('/app-access-token')))
        said = own.map((status) => `${status?.state} ${status?.version}${status?.unpublished ? ' unpublished' : ''}`).join(', ')
        const [first] = own
        return own.every(
          (status) => status?.state === 'idle' && !status.unpublished && status.version >= version && status.version === first?.version,
        )
      })
    } catch (error) {
      throw new Error(`${(error as Error).message}: ${said}`, { cause: error })
    }
  }

  /** Every process, or the one with this number, has given the store up for the first time since the fault. */
  async noticed(number?: number): Promise<void> {
    const names = number === undefined ? this.fleet.nodes.map(({ name }) => name) : [`node ${number}`]
    await this.fleet.when('the store is given up', (history) => {
      const since = nodesWith(
        history.filter(({ at }) => at >= this.#struckAt),
        'detached',
      )
      return names.every((name) => since.has(name))
    })
  }

  /** Somebody other than the process with this number has published since the fault. */
  async takenOver(number: number): Promise<void> {
    await this.fleet.when('somebody else has published', (history) =>
      history.some(
        (entry) =>
          entry.kind === 'store' &&
          entry.operation === 'publish' &&
          entry.outcome === 'accepted' &&
          entry.sentAt > this.#struckAt &&
          entry.node !== `node ${number}`,
      ),
    )
  }

  /** A fault at any other time. */
  strike(act: () => void): void {
    this.fleet.mark('fault')
    this.#struckAt = machineNow()
    act()
  }

  /** Every token there is ends, and the fault strikes before a process can do anything about it. */
  async endInto(act: () => void): Promise<void> {
    this.#passing.between = async () => this.strike(act)
    await this.fleet.passToEnd()
    this.#rotations += 1
  }

  /** The highest version that was served. */
  get version(): number {
    return Math.max(0, ...this.fleet.history.map((entry) => (entry.kind === 'served' ? entry.version : 0)))
  }

  /** A burst that belongs to what is measured: for callers who have to wait. */
  note(reports: readonly CallReport[]): void {
    for (const { callers, blocked, longestMs } of reports) {
      this.#callers += callers
      this.#blocked += blocked
      this.#longestMs = Math.max(this.#longestMs, longestMs)
    }
  }

  /** Ends the load: nobody got an error, and who had a valid token did not wait for it. */
  async endLoad(): Promise<void> {
    const reports = await this.fleet.endLoad()
    expect(reports.map(({ errors }) => errors)).toEqual(reports.map(() => ({})))
    expect(reports.map(({ blocked }) => blocked)).toEqual(reports.map(() => 0))
    for (const { longestMs } of reports) expect(longestMs).toBeLessThan(HANG_MS)
    this.note(reports)
  }

  /** Closes the fleet, and looks for what must not be in what it did. */
  async end(fault: string): Promise<FaultRow> {
    const { fleet } = this
    const rotations = this.#rotations
    const requests = fleet.requests
    expect((await fleet.close()).filter((code) => code !== 0)).toEqual([])
    expect(fleet.output).toBe('')
    record('history', fleet.history)
    expect(violations(fleet.history)).toEqual([])
    return {
      fault,
      rotations,
      callers: this.#callers,
      waited: this.#blocked,
      longestMs: this.#longestMs,
      extraRequests: requests - rotations - 1,
      recoveryMs: this.#recoveryMs,
    }
  }

  /** When each process first served this version or a newer one. */
  #firstServed(version: number): number[] {
    return this.fleet.nodes.map(
      ({ name }) => this.fleet.history.find((entry) => entry.kind === 'served' && entry.node === name && entry.version >= version)?.at ?? 0,
    )
  }
}
