import type { Snapshot } from '@tokenwell/core'
import { recordKey } from './record-key.ts'
import type { Worth } from './scenario.ts'
import type { SimulatedNode } from './simulated-node.ts'
import type { Timeline } from './timeline.ts'

const MINUTE_MS = 60_000

/** How often everybody is asked until a credential is found that is not just being renewed. */
const ROUNDS = 5
/** Processes are asked so long one after the other, milliseconds: those that come together are taken for a herd. */
const APART_MS = 5
/** Callers wait so long at most, and everybody has been served or told so some time after, milliseconds. */
const WAITS_MS = 15_000
const ROUND_MS = 20_000
/** What lives no longer than this is renewed all the time, milliseconds. */
const BRIEF_MS = 3 * ROUND_MS

/** What somebody was given at the end. */
interface Served {
  readonly name: string
  /** The handle's. */
  readonly key: string
  readonly value: string
  readonly version: number
  /** When it ends, as its process knows; true time, milliseconds. */
  readonly endsAt: number
  readonly worth: Worth
}

/** What the end is looked at with. */
export interface LastLook {
  readonly timeline: Timeline
  readonly nodes: readonly SimulatedNode[]
  violate(what: string): void
  /** How often anything new was published for a key of the store's since then. */
  publicationsSince(key: string, since: number): number
  /** Whether the store tells everybody of what is new. */
  readonly isPushed: boolean
  /** What the store has of a key of its own. */
  stored(key: string): Promise<Snapshot>
}

/** How a world ends: nothing is wrong any more, so everybody must be served, with the same in the end, and be able to leave. */
export class Ending {
  readonly #timeline: Timeline
  readonly #nodes: readonly SimulatedNode[]
  readonly #look: LastLook
  #settledAt = 0

  constructor(look: LastLook) {
    this.#timeline = look.timeline
    this.#nodes = look.nodes
    this.#look = look
  }

  /**
   * Everybody is up, and served with what the upstream takes.
   *
   * @returns when the last of what they have ends, milliseconds
   */
  async settle(): Promise<number> {
    for (const { process, isUp } of this.#nodes) if (!isUp) this.#violate(`${process.name} did not come up again`)
    this.#settledAt = this.#timeline.now
    // Whoever has not been asked for hours learns now that there is something newer.
    await this.#getAll()
    const now = await this.#getAll()
    for (const [name, served] of Map.groupBy(now, (each) => each.name)) {
      // Callers that report good tokens had it replaced, and whoever has heard nothing of that goes on with the one before until it is due; so does whoever hears
      // of what is renewed or authorised just now, once.
      const values = new Set(served.map(({ value }) => value))
      const [any] = served
      const since = any === undefined ? 0 : this.#look.publicationsSince(recordKey(any.key), this.#settledAt)
      // Where nobody is told of anything, each goes on with what it has.
      if (this.#look.isPushed && values.size > 2 + since)
        this.#violate(`${values.size} tokens are served of ${name} when nothing is wrong any more`)
      this.#checkWorth(name, served)
    }
    return Math.max(this.#timeline.now, ...now.map(({ endsAt }) => endsAt))
  }

  /** Once everything that anybody had has ended, all have the same, and it is what the store has. */
  async converge(endedAt: number): Promise<void> {
    await this.#timeline.runUntil(endedAt + MINUTE_MS)
    let lastRoundAt = this.#timeline.now
    await this.#getAll()
    let names: ReadonlyMap<string, Served> | undefined
    for (let round = 1; round <= ROUNDS && (names === undefined || names.size > 0); round += 1) {
      const from = lastRoundAt
      lastRoundAt = this.#timeline.now
      const rest = new Map<string, Served>()
      for (const [name, served] of Map.groupBy(await this.#getAll(), (each) => each.name)) {
        if (names?.has(name) === false) continue
        const [any] = served
        // Renewed, or authorised anew, since everybody was last asked: whoever hears of that serves what it has once more, and then reads.
        if (any === undefined) continue
        if (this.#look.publicationsSince(recordKey(any.key), from) > 0) rest.set(name, any)
        else await this.#checkSame(any, served)
      }
      names = rest
    }
    for (const [name, { endsAt }] of names ?? []) {
      if (endsAt > this.#timeline.now + BRIEF_MS) this.#violate(`${name} is renewed without an end when nothing is wrong any more`)
    }
  }

  /** Every process leaves when it is told to. */
  async leave(): Promise<void> {
    for (const node of this.#nodes) node.checkOpen()
    let open = this.#nodes.length
    for (const node of this.#nodes) {
      node.close(0, () => {
        open -= 1
      })
    }
    await this.#timeline.runUntil(this.#timeline.now + MINUTE_MS)
    if (open > 0) this.#violate(`I9: ${open} processes did not end`)
  }

  #checkWorth(name: string, served: readonly Served[]): void {
    for (const worth of new Set(served.map((each) => each.worth))) {
      if (worth !== 'valid') this.#violate(`a token of ${name} that is ${worth} is served when nothing is wrong any more`)
    }
  }

  async #checkSame({ name, key, value, version }: Served, served: readonly Served[]): Promise<void> {
    this.#checkWorth(name, served)
    // Where nobody is told of the later one, each goes on with the one that it came to read.
    if (!this.#look.isPushed && this.#look.publicationsSince(recordKey(key), this.#settledAt) > 1) return
    const values = new Set(served.map((each) => each.value))
    if (values.size > 1) this.#violate(`${values.size} tokens are served of ${name} long after everything was right again`)
    const stored = await this.#look.stored(recordKey(key))
    if (stored.version !== version || stored.value?.includes(value) !== true) {
      this.#violate(`${name} is served as ${version}, and the store has ${stored.version}`)
    }
  }

  async #getAll(): Promise<readonly Served[]> {
    const served: Served[] = []
    const { now } = this.#timeline
    const getting = this.#nodes.flatMap((node, index) =>
      node.credentials.map(async (credential) => {
        await new Promise<void>((come) => this.#timeline.at(now + index * APART_MS, come))
        const token = await node.get(credential, WAITS_MS)
        const { name, handle, worth } = credential
        if (token !== undefined) {
          const { value, version, expiresAt } = token
          const endsAt = this.#timeline.now + expiresAt - node.process.clock.wall()
          served.push({ name, key: handle.key, value, version, endsAt, worth: worth.call(credential, value) })
        } else this.#violate(`${node.process.name} has no ${credential.name} when nothing is wrong any more`)
      }),
    )
    await this.#timeline.runUntil(now + ROUND_MS)
    if (served.length < getting.length)
      this.#violate(`${getting.length - served.length} callers were not served when nothing is wrong any more`)
    return served
  }

  #violate(what: string): void {
    this.#look.violate(what)
  }
}
