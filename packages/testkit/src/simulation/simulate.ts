import { drawsOf } from './random.ts'
import { RequestAudit } from './request-audit.ts'
import type { Scenario, StoreWatcher } from './scenario.ts'
import { SimulatedNode, type Telling } from './simulated-node.ts'
import { EPOCH_MS, SimulatedProcess } from './simulated-process.ts'
import { type PlayableStore, SimulatedStore } from './simulated-store.ts'
import { Timeline } from './timeline.ts'
import { drawPlan, QUIET_MS, type Trouble } from './trouble.ts'
import { Wire } from './wire.ts'

export interface SimulationOptions {
  /** Decides everything: the same seed and options give the same history, byte for byte. */
  readonly seed: number
  /** The store, which must go by this clock alone, such as `(clock) => memoryStore({ clock })`. */
  readonly store: (clock: { wall(): number }) => PlayableStore
  /** What is shared, and how its upstream behaves: `mintedToken()`, or your own. */
  readonly scenario: Scenario
  /** Processes, 1 to 100. Default 5. */
  readonly nodes?: number
  /** Virtual hours, 1 to 1,000, the last 40 minutes of which are quiet. Default 6. */
  readonly hours?: number
  /** How many things go wrong. Default 20. */
  readonly troubles?: number
  /** What goes wrong, instead of what the seed draws: for a replay of a part of it. */
  readonly plan?: readonly Trouble[]
}

export interface SimulationReport {
  readonly seed: number
  /** What must not be, one sentence for each; empty when all is well. */
  readonly violations: readonly string[]
  readonly plan: readonly Trouble[]
  /** Everything that happened, a line each. */
  readonly history: readonly string[]
  /** How often each fault struck, each event was told, and so on. */
  readonly counts: ReadonlyMap<string, number>
}

const HOUR_MS = 3_600_000
const MINUTE_MS = 60_000

/** Callers come to each process this often, milliseconds. */
const CALLS_MS = { min: 20_000, max: 40_000 }

/** A loopback, and a platform somewhere. */
const STORE_LATENCY = { min: 0.2, max: 3 }
const UPSTREAM_LATENCY = { min: 10, max: 150 }

/** While the clock of a store that was set may still have to do with the life of a token, milliseconds. */
const DOUBT_MS = 3 * HOUR_MS

/** Plays a fleet of processes that run the real core on a virtual clock, with whatever the seed has in store for them. */
export async function simulate(options: SimulationOptions): Promise<SimulationReport> {
  const world = new World(options)
  await world.play()
  return world.report()
}

class World {
  readonly #seed: number
  readonly #endsAt: number
  readonly #timeline = new Timeline()
  readonly #violations: string[] = []
  readonly #history: string[] = []
  readonly #counts = new Map<string, number>()
  readonly #store: SimulatedStore
  readonly #nodes: SimulatedNode[]
  readonly #plan: readonly Trouble[]
  readonly #requests = new RequestAudit((what) => this.#violate(what))
  readonly #watchers: StoreWatcher[] = []
  readonly #run: ReturnType<Scenario['begin']>
  /** What the store remembered for each rollback to come. */
  readonly #checkpoints = new Map<Trouble, () => void>()
  #setBackAt = Number.NEGATIVE_INFINITY
  #setAt = Number.NEGATIVE_INFINITY

  constructor({ seed, store, scenario, nodes = 5, hours = 6, troubles = 20, plan }: SimulationOptions) {
    const timeline = this.#timeline
    this.#seed = seed
    this.#endsAt = hours * HOUR_MS
    this.#store = new SimulatedStore(timeline, store, {
      violate: (what) => this.#violate(what),
      took: (branch) => this.#count(`branch ${branch}`),
      published: (key, value) => {
        this.#requests.published(key, timeline.now)
        for (const watcher of this.#watchers) watcher.published?.(key, value)
      },
      lost: () => {
        this.#requests.forgot(timeline.now)
        for (const watcher of this.#watchers) watcher.lost?.()
      },
    })
    this.#run = scenario.begin({
      now: () => timeline.now,
      epochMs: EPOCH_MS,
      at: (moment, run) => void timeline.at(moment, run),
      draws: (name) => drawsOf(seed, `upstream ${name}`),
      struck: (fault) => this.#count(`fault upstream ${fault}`),
      note: (line) => this.#note(line),
      violate: (what) => this.#violate(what),
      watchStore: (watcher) => void this.#watchers.push(watcher),
    })
    this.#plan =
      plan ??
      drawPlan(drawsOf(seed, 'plan'), { nodes, hours, troubles, upstreamFaults: scenario.faults, canRollBack: this.#store.canRollBack })
    const telling: Telling = {
      note: (line) => this.#note(line),
      violate: (what) => this.#violate(what),
      count: (what) => this.#count(what),
      isLifeInDoubt: () => timeline.now < this.#setBackAt + DOUBT_MS,
      isEndMoved: () => timeline.now < this.#setAt + DOUBT_MS,
      alone: (index) => this.#requests.alone(index, timeline.now),
    }
    this.#nodes = Array.from({ length: nodes }, (_, index) => this.#node(index, telling))
  }

  async play(): Promise<void> {
    const timeline = this.#timeline
    for (const node of this.#nodes) node.start()
    for (const [index] of this.#nodes.entries()) this.#callAgain(index)
    for (const trouble of this.#plan) this.#prepare(trouble)
    timeline.at(this.#endsAt - QUIET_MS, () => this.#stepStoreClock(-this.#store.clockMs))
    await timeline.runUntil(this.#endsAt)
    await this.#settle()
    await this.#end()
  }

  report(): SimulationReport {
    return {
      seed: this.#seed,
      violations: this.#violations,
      plan: this.#plan,
      history: this.#history,
      counts: this.#counts,
    }
  }

  #node(index: number, telling: Telling): SimulatedNode {
    const timeline = this.#timeline
    const name = `n${index}`
    const process = new SimulatedProcess(name, timeline)
    const wire = (to: string, latency: { min: number; max: number }) =>
      new Wire(timeline, process, {
        draws: drawsOf(this.#seed, `wire ${name} ${to}`),
        latency,
        struck: (fault) => this.#count(`fault wire ${to} ${fault}`),
      })
    return new SimulatedNode(index, {
      process,
      toStore: wire('store', STORE_LATENCY),
      toUpstream: wire('upstream', UPSTREAM_LATENCY),
      store: this.#store,
      start: (played) => this.#run.start(played),
      draws: drawsOf(this.#seed, `node ${name}`),
      telling,
    })
  }

  #callAgain(index: number): void {
    const draws = drawsOf(this.#seed, `callers n${index}`)
    const node = this.#nodes[index]
    const next = () => {
      this.#timeline.at(this.#timeline.now + draws.between(CALLS_MS.min, CALLS_MS.max), () => {
        node?.call()
        if (this.#timeline.now < this.#endsAt) next()
      })
    }
    next()
  }

  #prepare(trouble: Trouble): void {
    const timeline = this.#timeline
    if (trouble.on === 'store' && trouble.kind === 'rollback') {
      timeline.at(trouble.at - trouble.byMs, () => this.#checkpoints.set(trouble, this.#store.checkpoint()))
    }
    timeline.at(trouble.at, () => {
      this.#note(`${trouble.on} ${trouble.kind} for ${trouble.forMs} ms`)
      const end = this.#strike(trouble)
      timeline.at(trouble.at + trouble.forMs, end)
    })
  }

  /** Begins a trouble. @returns what ends it */
  #strike(trouble: Trouble): () => void {
    switch (trouble.on) {
      case 'wire': {
        const { kind, to, node, probability } = trouble
        const struck = node === undefined ? this.#nodes : [this.#nodes[node]]
        const wires = struck.map((each) => (to === 'store' ? each?.toStore : each?.toUpstream))
        for (const wire of wires) wire?.set(kind, probability)
        return () => {
          for (const wire of wires) wire?.set(kind, 0)
        }
      }
      case 'upstream':
        return this.#run.trouble(trouble.kind)
      case 'process':
        this.#count(`fault process ${trouble.kind}`)
        return this.#strikeProcess(trouble)
      case 'store':
        this.#count(`fault store ${trouble.kind}`)
        return this.#strikeStore(trouble)
    }
  }

  #strikeProcess({ kind, node: index, forMs, byMs }: Extract<Trouble, { on: 'process' }>): () => void {
    const node = this.#nodes[index]
    if (node === undefined) return () => {}
    node.disturb()
    switch (kind) {
      case 'crash':
        if (!node.isUp) return () => {}
        node.crash()
        return () => {
          if (!node.isUp) node.start()
        }
      case 'restart': {
        let isClosed = !node.isUp
        let isDue = false
        const again = () => {
          if (isClosed && isDue && !node.isUp) node.start()
        }
        node.close(byMs, () => {
          isClosed = true
          again()
        })
        return () => {
          isDue = true
          again()
        }
      }
      case 'freeze':
        node.process.freeze(forMs)
        return () => node.disturb()
      case 'sleep':
        node.process.sleep(forMs)
        return () => node.disturb()
      case 'wall-step':
        node.process.stepWall(byMs)
        return () => {}
    }
  }

  #strikeStore(trouble: Extract<Trouble, { on: 'store' }>): () => void {
    const store = this.#store
    switch (trouble.kind) {
      case 'stall':
        store.isStalled = true
        return () => {
          store.isStalled = false
        }
      case 'down':
        store.isDown = true
        return () => {
          store.isDown = false
        }
      case 'clock-forward':
        this.#stepStoreClock(trouble.byMs)
        break
      case 'clock-back':
        this.#stepStoreClock(-trouble.byMs)
        break
      case 'rollback':
        this.#checkpoints.get(trouble)?.()
        break
      case 'row-lost':
        store.lose()
        break
    }
    return () => {}
  }

  #stepStoreClock(ms: number): void {
    if (ms === 0) return
    this.#store.stepClock(ms)
    this.#requests.forgot(this.#timeline.now)
    this.#setAt = this.#timeline.now
    if (ms < 0) this.#setBackAt = this.#timeline.now
  }

  /** Everybody is up, nothing is wrong: everybody must be served, and with the same, or with the next that is on its way. */
  async #settle(): Promise<void> {
    for (const { process, isUp } of this.#nodes) if (!isUp) this.#violate(`${process.name} did not come up again`)
    const getting = this.#nodes.flatMap((node) =>
      node.credentials.map(async (credential) => {
        const token = await node.get(credential, 15_000)
        if (token === undefined) this.#violate(`${node.process.name} has no ${credential.name} when nothing is wrong any more`)
        return { name: credential.name, version: token?.version ?? 0 }
      }),
    )
    await this.#timeline.runUntil(this.#timeline.now + 20_000)
    for (const [name, served] of Map.groupBy(await Promise.all(getting), (each) => each.name)) {
      const versions = new Set(served.map(({ version }) => version))
      if (versions.size > 2) this.#violate(`${name} is served in ${versions.size} versions when nothing is wrong any more`)
    }
    const { requests } = this.#run
    this.#count('requests', requests.length)
    this.#requests.check(requests, { isUntroubled: this.#plan.length === 0 })
  }

  async #end(): Promise<void> {
    let open = this.#nodes.length
    for (const node of this.#nodes) {
      node.close(0, () => {
        open -= 1
      })
    }
    await this.#timeline.runUntil(this.#timeline.now + MINUTE_MS)
    if (open > 0) this.#violate(`I9: ${open} processes did not end`)
  }

  #count(what: string, by = 1): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + by)
  }

  #note(line: string): void {
    this.#history.push(`${this.#timeline.now.toFixed(3)} ${line}`)
  }

  #violate(what: string): void {
    this.#note(`VIOLATION ${what}`)
    this.#violations.push(`${(this.#timeline.now / 1_000).toFixed(3)} s: ${what}`)
  }
}
