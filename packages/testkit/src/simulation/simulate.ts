import type { Policy, TokenEvent } from '@tokenwell/core'
import type { Circumstances } from './circumstances.ts'
import type { ContractBranch } from './contract-branch.ts'
import { CORE_POLICY, policyOf } from './core-policy.ts'
import { Ending } from './ending.ts'
import { LeaseLog } from './lease-log.ts'
import { LifeLog } from './life-log.ts'
import { OperationAudit } from './operation-audit.ts'
import { drawPlan, lastMomentOf, QUIET_MS } from './plan.ts'
import { drawsOf } from './random.ts'
import { handleKey, recordKey } from './record-key.ts'
import { RecordLog } from './record-log.ts'
import { REQUEST_TIMEOUT_MS, RequestAudit } from './request-audit.ts'
import type { PlayedCredential, Scenario, StoreWatcher } from './scenario.ts'
import { SimulatedNode } from './simulated-node.ts'
import { EPOCH_MS, SimulatedProcess } from './simulated-process.ts'
import { type PlayableStore, SimulatedStore } from './simulated-store.ts'
import type { StoreNews } from './store-audit.ts'
import { Strikes } from './strikes.ts'
import { Timeline } from './timeline.ts'
import type { Trouble } from './trouble.ts'
import { Wire } from './wire.ts'
import { checkOptions } from './world-options.ts'

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
  /**
   * What happened, a line each: what went wrong, what processes asked of the store and of the upstream, what they told of themselves and gave their
   * callers for the first time. Each begins with the moment, milliseconds.
   */
  readonly history: readonly string[]
  /** How often each fault struck, each event was told, and so on. */
  readonly counts: ReadonlyMap<string, number>
}

const HOUR_MS = 3_600_000

/** Callers come to each process this often, milliseconds; and so often while they report whatever they are given. */
const CALLS_MS = { min: 30_000, max: 50_000 }
const MISLED_CALLS_MS = { min: 500, max: 2_000 }

/** A process is asked for everything so soon after it has started, milliseconds. */
const FIRST_CALLS_MS = 300

/** What is still waited for at the end is waited for so often. */
const LATE_WAITS = 20

/** Nothing is left of a trouble so long after the waits and requests that it may have led to, milliseconds. */
const RECOVERY_MS = 2 * 60_000

/**
 * With nothing wrong, a caller is served so soon after somebody has published what it waits for, milliseconds: where the store tells of that, and where whoever
 * waits looks again, which core does every half a second at the least.
 */
const HEARD_MS = 25
const LOOKED_MS = 500 + HEARD_MS
/** Who asks for a life that is to be had once its own process renews waits for that, up to so long after another has, milliseconds: core's. */
const RENEWAL_SPREAD_MS = 5_000

/** By these whoever asks next comes to know what has become of the last request. */
const TELLING = new Set<ContractBranch>([
  'publish/accepted',
  'publish/repeated',
  'publish/superseded',
  'publish/superseded-by-base',
  'publish/refused',
  'settle/backed-off',
])

/** A loopback, and a platform somewhere. */
const STORE_LATENCY = { min: 0.2, max: 3 }
const UPSTREAM_LATENCY = { min: 10, max: 150 }

/**
 * Plays a fleet of processes that run the real core on a virtual clock, with whatever the seed has in store for them.
 *
 * @throws TypeError for an option, or a part of a plan, that is wrong
 */
export async function simulate(options: SimulationOptions): Promise<SimulationReport> {
  checkOptions(options)
  const world = new World(options)
  await world.play().catch((error: unknown) => world.broke(error))
  return world.report()
}

class World {
  readonly #seed: number
  readonly #endsAt: number
  readonly #timeline = new Timeline()
  readonly #violations: string[] = []
  readonly #history: string[] = []
  readonly #counts = new Map<string, number>()
  readonly #leases = new LeaseLog(() => this.#timeline.now)
  readonly #requests: RequestAudit
  readonly #operations: OperationAudit
  readonly #store: SimulatedStore
  readonly #nodes: SimulatedNode[]
  readonly #plan: readonly Trouble[]
  readonly #watchers: StoreWatcher[] = []
  readonly #run: ReturnType<Scenario['begin']>
  readonly #strikes: Strikes
  /** Until then nothing has gone wrong that could have two processes ask at once. */
  readonly #orderlyUntil: number
  readonly #lives = new LifeLog(() => this.#timeline.now)
  readonly #records: RecordLog
  /** The longest wait after a failure that another try may help, and what a request lasts longer than by default, as policies of the scenario allow; milliseconds. */
  #longestWaitMs = 0

  constructor({ seed, store, scenario, nodes = 5, hours = 6, troubles = 20, plan }: SimulationOptions) {
    const timeline = this.#timeline
    this.#seed = seed
    this.#endsAt = hours * HOUR_MS
    const violate = (what: string) => this.#violate(what)
    this.#requests = new RequestAudit({
      now: () => timeline.now,
      note: (line) => this.#note(line),
      violate,
      leases: this.#leases,
      process: (node) => (this.#nodes[node] as SimulatedNode).process, // It has sent a request.
      isOrderly: () => timeline.now < this.#orderlyUntil || timeline.now > this.#endsAt - QUIET_MS / 2,
    })
    this.#records = new RecordLog({ now: () => timeline.now, lives: this.#lives, requests: this.#requests })
    this.#operations = new OperationAudit({
      timeline,
      violate,
      rotates: (key) =>
        this.#nodes.some(({ credentials }) => credentials.some(({ rotates, handle }) => rotates === true && recordKey(handle.key) === key)),
      nodes,
    })
    this.#store = new SimulatedStore(timeline, store, { news: this.#storeNews(), operations: this.#operations, leases: this.#leases })
    this.#run = scenario.begin({
      now: () => timeline.now,
      epochMs: EPOCH_MS,
      at: (moment, run) => void timeline.at(moment, run),
      draws: (name) => drawsOf(seed, `upstream ${name}`),
      request: (request, send) => this.#requests.send(request, send),
      struck: (fault) => this.#count(`fault upstream ${fault}`),
      note: (line) => this.#note(line),
      violate,
      watchStore: (watcher) => void this.#watchers.push(watcher),
    })
    this.#plan =
      plan ??
      drawPlan(drawsOf(seed, 'plan'), {
        nodes,
        hours,
        troubles,
        upstreamFaults: scenario.faults,
        canRollBack: this.#store.canRollBack,
        canLoseRows: this.#store.canLoseRows,
      })
    // Whatever the upstream does, a fetch that has no reply in time is given up before the next begins.
    this.#orderlyUntil = firstOf(
      this.#plan.filter((trouble) => trouble.on !== 'upstream' && !(trouble.on === 'wire' && trouble.to === 'upstream')),
      Number.POSITIVE_INFINITY,
    )
    this.#nodes = Array.from({ length: nodes }, (_, index) => this.#node(index))
    this.#strikes = new Strikes({
      timeline,
      store: this.#store,
      nodes: this.#nodes,
      requests: this.#requests,
      upstream: (kind) => this.#run.trouble(kind),
      draws: drawsOf(seed, 'holders'),
      quietFrom: lastMomentOf(hours),
      begin: (node) => this.#begin(node),
      stepStoreClock: (ms) => this.#stepStoreClock(ms),
      struck: (fault) => this.#count(`fault ${fault}`),
      note: (line) => this.#note(line),
    })
  }

  async play(): Promise<void> {
    const timeline = this.#timeline
    for (const [index, node] of this.#nodes.entries()) {
      this.#begin(node)
      this.#callAgain(index)
    }
    for (const trouble of this.#plan) this.#strikes.prepare(trouble)
    // Whoever waits after a failure is waited for.
    await timeline.runUntil(Math.max(this.#endsAt, this.#endsAt - QUIET_MS + this.#longestWaitMs + RECOVERY_MS))
    for (let more = 0; more < LATE_WAITS && !this.#isWell(); more += 1)
      await timeline.runUntil(timeline.now + this.#longestWaitMs + RECOVERY_MS)
    const ending = new Ending({
      timeline,
      nodes: this.#nodes,
      violate: (what) => this.#violate(what),
      publicationsSince: (key, since) => this.#requests.publicationsSince(key, since),
      isPushed: this.#store.pushes,
      stored: (key) => this.#store.look(key),
    })
    const endedAt = await ending.settle()
    this.#count('requests', this.#requests.count)
    await ending.converge(endedAt)
    await ending.leave()
  }

  /** What a process or the store throws into the world would have ended a program. What was checked by then is told, too. */
  broke(error: unknown): void {
    this.#violate(`thrown, and caught by nobody: ${String(error)}`)
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

  #node(index: number): SimulatedNode {
    const timeline = this.#timeline
    const name = `n${index}`
    const process = new SimulatedProcess(name, timeline, drawsOf(this.#seed, `process ${name}`))
    const wire = (to: string, latency: { min: number; max: number }) =>
      new Wire(timeline, process, {
        draws: drawsOf(this.#seed, `wire ${name} ${to}`),
        latency,
        struck: (fault) => {
          this.#count(`fault wire ${to} ${fault}`)
          this.#note(`${name} ${fault} on the way to the ${to}`)
        },
      })
    const circumstances: Circumstances = {
      now: () => timeline.now,
      drift: (key, version) => this.#lives.drift(key, version),
      sleptAt: () => Math.max(...this.#nodes.map((node) => node.process.sleptAt)),
      isWell: () => this.#isWell(),
      isWellBesidesStore: () => this.#strikes.wellBesidesStoreForMs > this.#longestWaitMs + RECOVERY_MS,
      heardMs: this.#store.pushes ? HEARD_MS : LOOKED_MS,
      heardOfLifeMs: this.#store.pushes ? HEARD_MS : LOOKED_MS + RENEWAL_SPREAD_MS,
      isRejected: (key, value) => this.#records.isRejected(key, value),
      isQuiet: (key) => this.#records.isQuiet(key),
      isForgotten: (key, version) => this.#records.isForgotten(key, version),
      publishedSince: (key, since) => this.#requests.publishedSince(key, since),
    }
    return new SimulatedNode(index, {
      process,
      toStore: wire('store', STORE_LATENCY),
      toUpstream: wire('upstream', UPSTREAM_LATENCY),
      store: this.#store,
      start: (played) => this.#started(this.#run.start(played)),
      draws: drawsOf(this.#seed, `node ${name}`),
      circumstances,
      telling: {
        note: (line) => this.#note(line),
        violate: (what) => this.#violate(what),
        count: (what) => this.#count(what),
        forgotten: () => this.#leases.forgotten(index),
        unreachable: (key) => {
          this.#leases.goesBy(index, key, undefined)
          this.#requests.alone(index)
        },
        noted: (event) => this.#noted(index, process, event),
        ends: () => this.#requests.ends(index),
        left: () => this.#operations.left(process),
      },
      after(ms) {
        const receive = process.receiver()
        return new Promise((resolve) => void timeline.at(timeline.now + ms, () => receive(resolve)))
      },
    })
  }

  #started(credentials: readonly PlayedCredential[]): readonly PlayedCredential[] {
    const longest = (policy: Policy) => policy.backoffCapMs + Math.max(0, policy.requestTimeoutMs / 0.9 - REQUEST_TIMEOUT_MS)
    this.#longestWaitMs = Math.max(this.#longestWaitMs, ...credentials.map((each) => longest(policyOf(each))))
    return credentials
  }

  #isWell(): boolean {
    return this.#strikes.wellForMs > this.#longestWaitMs + RECOVERY_MS
  }

  /** What a process tells of itself changes what it may do. */
  #noted(index: number, process: SimulatedProcess, event: TokenEvent): void {
    const key = recordKey(event.key)
    switch (event.type) {
      case 'granted':
        this.#leases.goesBy(index, key, event.fence)
        break
      case 'renewed':
        if (this.#leases.of(index, key) === undefined && event.lifeMs >= this.#shareableMs(index, event.key))
          this.#records.renewedAlone(key, event.version)
        break
      case 'backoff':
        // A failure for good, or what the upstream asks for, is waited out for longer than others.
        if (!this.#isWell()) this.#strikes.ledTo(this.#timeline.now + event.retryInMs)
        break
      case 'blocked':
        this.#operations.blocked(process, key)
        this.#requests.inconclusive(index, event.key)
        break
      case 'detached':
        this.#operations.detached(process, key)
        break
      case 'outcome-unknown':
        this.#requests.inconclusive(index, event.key)
    }
  }

  /** A token that lives so long is a success, milliseconds. @param key the handle's */
  #shareableMs(index: number, key: string): number {
    const credential = this.#nodes[index]?.credentials.find(({ handle }) => handle.key === key)
    return (credential === undefined ? CORE_POLICY : policyOf(credential)).minimumLifeMs
  }

  #storeNews(): StoreNews {
    return {
      violate: (what) => this.#violate(what),
      took: (branch, key, by) => {
        this.#count(`branch ${branch}`)
        this.#note(`the store: ${branch} ${key} ${by}`)
        if (TELLING.has(branch)) this.#requests.told(handleKey(key), by)
      },
      sent: (key, request, by) => {
        this.#strikes.publishes(by)
        for (const watcher of this.#watchers) watcher.sent?.(key, request)
      },
      published: (key, version, request, grantedAt, over) => {
        this.#lives.published(key, version, grantedAt, version / 1_000 - EPOCH_MS)
        this.#records.published(key, version, request, over)
        for (const watcher of this.#watchers) watcher.published?.(key, request, grantedAt)
      },
      rejected: (key, value) => {
        this.#records.rejected(key, value)
        for (const watcher of this.#watchers) watcher.rejected?.(key, value)
      },
      granted: (attempt) => this.#strikes.granted(attempt),
      stirred: (key) => this.#operations.stirred(key),
      lost: (key) => {
        this.#records.lost(key)
        this.#leases.doubt(key)
        this.#requests.forgot(key)
        for (const watcher of this.#watchers) watcher.lost?.(key)
      },
    }
  }

  #begin(node: SimulatedNode): void {
    node.start()
    const draws = drawsOf(this.#seed, `start ${node.process.name} ${this.#timeline.now}`)
    this.#timeline.at(this.#timeline.now + draws.between(0, FIRST_CALLS_MS), () => node.callForAll())
  }

  #callAgain(index: number): void {
    const draws = drawsOf(this.#seed, `callers n${index}`)
    const node = this.#nodes[index]
    const next = () => {
      const { min, max } = node?.isMisled === true ? MISLED_CALLS_MS : CALLS_MS
      this.#timeline.at(this.#timeline.now + draws.between(min, max), () => {
        node?.call()
        if (this.#timeline.now < this.#endsAt) next()
      })
    }
    next()
  }

  #stepStoreClock(ms: number): void {
    if (ms === 0) return
    this.#store.stepClock(ms)
    this.#leases.doubt()
    this.#requests.forgot()
    this.#lives.stepped(this.#store.clockMs)
    for (const watcher of this.#watchers) watcher.clockSet?.()
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

function firstOf(troubles: readonly Trouble[], otherwise: number): number {
  return Math.min(otherwise, ...troubles.map(({ at }) => at))
}
