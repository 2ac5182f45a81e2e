import type { Draws } from './random.ts'
import type { RequestAudit } from './request-audit.ts'
import type { SimulatedNode } from './simulated-node.ts'
import type { SimulatedStore } from './simulated-store.ts'
import type { Timeline } from './timeline.ts'
import type { HolderFault, Trouble } from './trouble.ts'

type On<Place extends Trouble['on']> = Extract<Trouble, { on: Place }>

export interface StrikesOptions {
  readonly timeline: Timeline
  readonly store: SimulatedStore
  readonly nodes: readonly SimulatedNode[]
  readonly requests: RequestAudit
  /** Begins a trouble of the upstream. @returns what ends it */
  readonly upstream: (kind: string) => () => void
  readonly draws: Draws
  /** Nothing strikes from this moment on. */
  readonly quietFrom: number
  /** Starts a process that is down. */
  readonly begin: (node: SimulatedNode) => void
  readonly stepStoreClock: (ms: number) => void
  readonly struck: (fault: string) => void
  readonly note: (line: string) => void
}

/** What befalls the holder of a lease does so at once, while it asks, or when it should have its answer: so long after its grant, milliseconds. */
const AFTER_GRANT_MS = [0, 30, 300]

/** Has the troubles of a plan befall a world, each at its moment. */
export class Strikes {
  readonly #world: StrikesOptions
  /** What the store remembered for each rollback to come. */
  readonly #checkpoints = new Map<Trouble, () => void>()
  /** What may befall whoever is granted a lease. */
  readonly #ofHolders = new Set<On<'holder'>>()
  readonly #holderFaults: Readonly<Record<HolderFault, (holder: SimulatedNode, ms: number) => void>> = {
    freeze: (holder, ms) => this.#stopHolder(holder, 'freeze', ms),
    sleep: (holder, ms) => this.#stopHolder(holder, 'sleep', ms),
    // The store's clock, which was behind, is set: who holds a lease does not know that it is over.
    overrun: (holder, ms) => {
      this.#world.note(`the store's clock is set by ${ms} ms over the lease of ${holder.process.name}`)
      this.#world.stepStoreClock(ms)
    },
  }

  constructor(world: StrikesOptions) {
    this.#world = world
  }

  prepare(trouble: Trouble): void {
    const { timeline, store, note } = this.#world
    if (trouble.on === 'store' && trouble.kind === 'rollback') {
      timeline.at(trouble.at - trouble.byMs, () => this.#checkpoints.set(trouble, store.checkpoint()))
    }
    timeline.at(trouble.at, () => {
      note(`${trouble.on} ${trouble.kind} for ${trouble.forMs} ms`)
      const end = this.#strike(trouble)
      timeline.at(trouble.at + trouble.forMs, end)
    })
  }

  /** Whoever is granted a lease may be struck at the worst moment. */
  granted(attempt: string): void {
    const { timeline, nodes, draws, quietFrom, struck } = this.#world
    const { now } = timeline
    const node = nodes.find(({ process }) => attempt.startsWith(`${process.name}.`))
    if (node === undefined) return
    for (const { kind, byMs, probability } of this.#ofHolders) {
      if (now + byMs > quietFrom || !draws.chance(probability)) continue
      timeline.at(now + draws.between(0, draws.pick(AFTER_GRANT_MS)), () => {
        struck(`holder ${kind}`)
        this.#holderFaults[kind](node, byMs)
      })
    }
  }

  #stopHolder(node: SimulatedNode, kind: 'freeze' | 'sleep', ms: number): void {
    const { timeline, note } = this.#world
    note(`${node.process.name} ${kind}s for ${ms} ms`)
    this.#stop(node, kind, ms)
    timeline.at(timeline.now + ms, () => node.disturb())
  }

  #stop(node: SimulatedNode, kind: 'freeze' | 'sleep', ms: number): void {
    const { requests, nodes } = this.#world
    node.disturb()
    requests.alone(nodes.indexOf(node))
    node.process[kind](ms)
  }

  /** Begins a trouble. @returns what ends it */
  #strike(trouble: Trouble): () => void {
    switch (trouble.on) {
      case 'wire':
        return this.#strikeWires(trouble)
      case 'upstream':
        return this.#world.upstream(trouble.kind)
      case 'process':
        this.#world.struck(`process ${trouble.kind}`)
        return this.#strikeProcesses(trouble)
      case 'holder':
        this.#ofHolders.add(trouble)
        return () => this.#ofHolders.delete(trouble)
      case 'store':
        // What there may be none of tells itself.
        if (trouble.kind !== 'row-lost') this.#world.struck(`store ${trouble.kind}`)
        return this.#strikeStore(trouble)
    }
  }

  #strikeWires({ kind, to, node, probability }: On<'wire'>): () => void {
    const { nodes } = this.#world
    const struck = node === undefined ? nodes : [nodes[node]]
    const wires = struck.map((each) => (to === 'store' ? each?.toStore : each?.toUpstream))
    for (const wire of wires) wire?.set(kind, probability)
    return () => {
      for (const wire of wires) wire?.set(kind, 0)
    }
  }

  #strikeProcesses(trouble: On<'process'>): () => void {
    const { nodes } = this.#world
    const { node: index } = trouble
    const struck = index === undefined ? nodes : nodes.slice(index, index + 1)
    const ends = struck.map((node) => this.#strikeProcess(node, trouble))
    return () => {
      for (const end of ends) end()
    }
  }

  #strikeProcess(node: SimulatedNode, { kind, forMs, byMs }: On<'process'>): () => void {
    const { begin, timeline } = this.#world
    node.disturb()
    switch (kind) {
      case 'crash':
        if (!node.isUp) return () => {}
        node.crash()
        return () => {
          if (!node.isUp) begin(node)
        }
      case 'restart': {
        let isClosed = !node.isUp
        let isDue = false
        const again = () => {
          if (isClosed && isDue && !node.isUp) begin(node)
        }
        // One that stands still is told when it goes on.
        node.process.receiver()(() =>
          node.close(byMs, () => {
            isClosed = true
            again()
          }),
        )
        return () => {
          isDue = true
          again()
        }
      }
      case 'freeze':
      case 'sleep':
        this.#stop(node, kind, forMs)
        return () => node.disturb()
      case 'misled':
        node.isMisled = true
        return () => {
          node.isMisled = false
        }
      case 'wall-step':
        // Of a machine that sleeps nobody sets the clock; it could not tell the one from the other.
        if (node.process.sleptAt < timeline.now) node.process.stepWall(byMs)
        return () => {}
    }
  }

  #strikeStore(trouble: On<'store'>): () => void {
    const { store, stepStoreClock } = this.#world
    const setClock = (ms: number) => {
      stepStoreClock(ms)
      return () => stepStoreClock(-ms)
    }
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
        return setClock(trouble.byMs)
      case 'clock-back':
        return setClock(-trouble.byMs)
      case 'rollback':
        this.#checkpoints.get(trouble)?.()
        break
      case 'row-lost':
        this.#loseRow()
        break
      case 'emptied':
        store.empty()
        break
      case 'replaced':
        store.empty()
        return setClock(-trouble.byMs)
    }
    return () => {}
  }

  #loseRow(): void {
    const { store, draws, struck, note } = this.#world
    const key = store.loseOne(draws)
    if (key === undefined) return
    struck('store row-lost')
    note(`the store has lost ${key}`)
  }
}
