import type { Draws } from './random.ts'
import type { RequestAudit } from './request-audit.ts'
import type { SimulatedNode } from './simulated-node.ts'
import type { SimulatedStore } from './simulated-store.ts'
import type { Timeline } from './timeline.ts'
import type { Trouble } from './trouble.ts'

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

/**
 * What befalls the holder of a lease does so at once, before it asks, while it does, or when it should have its answer: so long after its grant, milliseconds;
 * and so long after it has sent what it publishes, the last while it waits to send that once more.
 */
const AFTER_GRANT_MS = [0, 5, 30, 300]
const WHILE_PUBLISHING_MS = [1, 5, 3_000]

/** A store that fails while something is published does so before it arrives, or while it is carried out: so long after it was sent, milliseconds. */
const BEFORE_PUBLISHED_MS = [0, 1, 3]

/** What a holder that is restarted leaves to what is under way, milliseconds. */
const GRACES_MS = [0, 10, 5_000]

/** What is wrong. */
interface Wrong {
  /** How many troubles are on, those that wait for their occasion aside. */
  on: number
  /** Until when the last of them was, or what it has led to. */
  overAt: number
}

/** Has the troubles of a plan befall a world, each at its moment. */
export class Strikes {
  readonly #world: StrikesOptions
  /** What the store remembered for each rollback to come; says whether anything was lost by it. */
  readonly #checkpoints = new Map<Trouble, () => boolean>()
  /** Rollbacks that there was nothing to lose by yet. */
  readonly #rollbacks = new Set<Trouble>()
  /** Stalls and outages of the store that wait for somebody whom they would befall. */
  readonly #failures = new Set<On<'store'>>()
  /** Those of the store and of the way to it, and all others. */
  readonly #ofStore: Wrong = { on: 0, overAt: Number.NEGATIVE_INFINITY }
  readonly #ofOthers: Wrong = { on: 0, overAt: Number.NEGATIVE_INFINITY }
  /** What may befall whoever is granted a lease. */
  readonly #ofHolders = new Set<On<'holder'>>()

  constructor(world: StrikesOptions) {
    this.#world = world
  }

  /** For how long nothing has been wrong, milliseconds; Infinity before the first trouble. */
  get wellForMs(): number {
    return Math.min(this.#wellFor(this.#ofStore), this.wellBesidesStoreForMs)
  }

  /** For how long nothing has been wrong but the store, and the way to it, milliseconds; Infinity before the first trouble. */
  get wellBesidesStoreForMs(): number {
    return this.#wellFor(this.#ofOthers)
  }

  prepare(trouble: Trouble): void {
    const { timeline, store, note } = this.#world
    if (trouble.on === 'store' && trouble.kind === 'rollback') {
      timeline.at(trouble.at - trouble.byMs, () => this.#checkpoints.set(trouble, store.checkpoint()))
    }
    timeline.at(trouble.at, () => {
      note(`${trouble.on} ${trouble.kind} for ${trouble.forMs} ms`)
      if (!waitsForOccasion(trouble))
        this.#lasting(isOfStore(trouble) ? this.#ofStore : this.#ofOthers, trouble.forMs, this.#strike(trouble))
      else timeline.at(trouble.at + trouble.forMs, this.#strike(trouble))
    })
  }

  /** Whoever is granted a lease may be struck at the worst moment, and so may the store. */
  granted(attempt: string): void {
    const { timeline, nodes, draws } = this.#world
    const { now } = timeline
    for (const trouble of this.#rollbacks) timeline.at(now + draws.between(0, draws.pick(AFTER_GRANT_MS)), () => this.#rollBack(trouble))
    this.#failSoon(AFTER_GRANT_MS)
    const holder = nodes.find(({ process }) => attempt.startsWith(`${process.name}.`))
    if (holder !== undefined) this.#befall(holder, AFTER_GRANT_MS)
  }

  /** So may whoever publishes. */
  publishes(name: string): void {
    const holder = this.#world.nodes.find(({ process }) => process.name === name)
    if (holder !== undefined) this.#befall(holder, WHILE_PUBLISHING_MS)
    this.#failSoon(BEFORE_PUBLISHED_MS)
  }

  #failSoon(within: readonly number[]): void {
    const { timeline, draws } = this.#world
    for (const trouble of this.#failures) timeline.at(timeline.now + draws.between(0, draws.pick(within)), () => this.#fail(trouble))
  }

  #fail(trouble: On<'store'>): void {
    const { timeline, quietFrom, note } = this.#world
    if (timeline.now + trouble.byMs > quietFrom || !this.#failures.delete(trouble)) return
    note(`store ${trouble.kind} begins, for ${trouble.byMs} ms`)
    this.#lasting(this.#ofStore, trouble.byMs, this.#strikeStore({ ...trouble, byMs: 0 }))
  }

  #befall(holder: SimulatedNode, within: readonly number[]): void {
    const { timeline, draws, quietFrom } = this.#world
    const { now } = timeline
    for (const trouble of this.#ofHolders) {
      if (now + trouble.byMs > quietFrom || !draws.chance(trouble.probability)) continue
      timeline.at(now + draws.between(0, draws.pick(within)), () => this.#strikeHolder(holder, trouble))
    }
  }

  #strikeHolder(holder: SimulatedNode, { kind, byMs }: On<'holder'>): void {
    const { timeline, draws, stepStoreClock, struck, note } = this.#world
    const strikes = () => {
      struck(`holder ${kind}`)
      note(`holder ${kind} of ${holder.process.name} by ${byMs} ms`)
      lasts(this.#ofOthers, timeline.now + (kind === 'overrun' ? 0 : byMs))
    }
    if (kind === 'overrun') {
      // The store's clock, which was behind, is set: who holds a lease does not know that it is over.
      strikes()
      stepStoreClock(byMs)
      return
    }
    const graceMs = kind === 'restart' ? draws.pick(GRACES_MS) : 0
    timeline.at(timeline.now + byMs, this.#strikeProcess(holder, { kind, forMs: byMs, byMs: graceMs }, strikes))
  }

  /** Something is wrong for so long from now. */
  #lasting(wrong: Wrong, ms: number, end: () => void): void {
    const { timeline } = this.#world
    wrong.on += 1
    timeline.at(timeline.now + ms, () => {
      end()
      wrong.on -= 1
      lasts(wrong, timeline.now)
    })
  }

  #wellFor({ on, overAt }: Wrong): number {
    return on > 0 ? 0 : Math.max(0, this.#world.timeline.now - overAt)
  }

  /** What has gone wrong is waited out until then. */
  ledTo(until: number): void {
    lasts(this.#ofOthers, until)
  }

  /** Begins a trouble. @returns what ends it */
  #strike(trouble: Trouble): () => void {
    switch (trouble.on) {
      case 'wire':
        return this.#strikeWires(trouble)
      case 'upstream':
        return this.#world.upstream(trouble.kind)
      case 'process':
        return this.#strikeProcesses(trouble)
      case 'holder':
        this.#ofHolders.add(trouble)
        return () => this.#ofHolders.delete(trouble)
      case 'store':
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
    const ends = struck.map((node) => this.#strikeProcess(node, trouble, () => this.#world.struck(`process ${trouble.kind}`)))
    return () => {
      for (const end of ends) end()
    }
  }

  /** @param strikes to be called if it does */
  #strikeProcess(
    node: SimulatedNode,
    { kind, forMs, byMs }: Pick<On<'process'>, 'kind' | 'forMs' | 'byMs'>,
    strikes: () => void,
  ): () => void {
    const { begin, timeline, requests, nodes } = this.#world
    if (kind === 'misled') {
      // Whoever comes up meanwhile has the wrong address as well.
      if (!node.isDown) strikes()
      node.isMisled = true
      return () => {
        node.isMisled = false
      }
    }
    if (node.isDown) return () => {}
    node.disturb()
    switch (kind) {
      case 'crash':
        strikes()
        node.crash()
        return () => {
          if (node.isDown) begin(node)
        }
      case 'restart': {
        if (node.isUp) strikes()
        let isDue = false
        const again = () => {
          if (isDue && node.isDown) begin(node)
        }
        // One that stands still is told when it goes on.
        node.process.receiver()(() => node.close(byMs, again))
        return () => {
          isDue = true
          again()
        }
      }
      case 'freeze':
      case 'sleep':
        strikes()
        node.process[kind](forMs)
        requests.stops(nodes.indexOf(node))
        return () => node.disturb()
      case 'wall-step':
        // Of a machine that sleeps nobody sets the clock; it could not tell the one from the other.
        if (node.process.sleptAt >= timeline.now) return () => {}
        strikes()
        node.process.stepWall(byMs)
        return () => {}
    }
  }

  #strikeStore(trouble: On<'store'>): () => void {
    const { store, stepStoreClock } = this.#world
    const strikes = () => this.#world.struck(`store ${trouble.kind}`)
    const setClock = (ms: number, misleads = () => {}) => {
      stepStoreClock(ms)
      const end = store.misread(misleads)
      return () => {
        end()
        stepStoreClock(-ms)
      }
    }
    if (waitsForOccasion(trouble) && trouble.kind !== 'rollback') {
      this.#failures.add(trouble)
      return () => this.#failures.delete(trouble)
    }
    switch (trouble.kind) {
      case 'stall':
        return store.stall(strikes)
      case 'down':
        return store.goDown(strikes)
      case 'clock-forward':
        return setClock(trouble.byMs, strikes)
      case 'clock-back':
        return setClock(-trouble.byMs, strikes)
      case 'rollback':
        this.#rollbacks.add(trouble)
        this.#rollBack(trouble)
        return () => this.#rollbacks.delete(trouble)
      case 'row-lost':
        this.#loseRow(strikes)
        break
      case 'emptied':
        if (store.empty()) strikes()
        break
      case 'replaced':
        if (store.empty()) strikes()
        return setClock(-trouble.byMs)
    }
    return () => {}
  }

  /** Once, and not before there is something to lose: a replica takes over that has not seen the last writes. */
  #rollBack(trouble: Trouble): void {
    const { timeline, struck, note } = this.#world
    if (!this.#rollbacks.has(trouble) || this.#checkpoints.get(trouble)?.() !== true) return
    this.#rollbacks.delete(trouble)
    lasts(this.#ofOthers, timeline.now)
    struck('store rollback')
    note('the store is rolled back')
  }

  #loseRow(strikes: () => void): void {
    const { store, draws, note } = this.#world
    const key = store.loseOne(draws)
    if (key === undefined) return
    strikes()
    note(`the store has lost ${key}`)
  }
}

/** Whether a trouble does nothing before there is somebody whom it would befall: until then nothing is wrong. */
function waitsForOccasion({ on, kind, ...rest }: Trouble): boolean {
  if (on === 'holder' || kind === 'rollback') return true
  return on === 'store' && (kind === 'stall' || kind === 'down') && 'byMs' in rest && rest.byMs > 0
}

/** Processes do not reach the store, or not well; what it knows stays as it is. */
function isOfStore(trouble: Trouble): boolean {
  if (trouble.on === 'wire') return trouble.to === 'store'
  return trouble.on === 'store' && (trouble.kind === 'stall' || trouble.kind === 'down')
}

function lasts(wrong: Wrong, until: number): void {
  wrong.overAt = Math.max(wrong.overAt, until)
}
