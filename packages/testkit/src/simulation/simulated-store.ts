import type { Claim, Operation, Publication, Snapshot, StoreChange, TokenStore } from '@tokenwell/core'
import type { LeaseLog } from './lease-log.ts'
import type { OperationAudit } from './operation-audit.ts'
import type { Draws } from './random.ts'
import { SLACK_MS } from './request-audit.ts'
import { EPOCH_MS, type SimulatedProcess } from './simulated-process.ts'
import { StoreAudit, type StoreNews } from './store-audit.ts'
import type { Timeline } from './timeline.ts'
import type { Wire } from './wire.ts'

/** A store that a world can be played on: it must go by the clock it is given, and by no other. */
export interface PlayableStore extends TokenStore {
  /** Remembers every record; the function puts them back. Without it nothing is rolled back, and the store is neither emptied nor replaced. */
  checkpoint?(): () => void
  /** Loses one record. Without it no row is lost. */
  lose?(key: string): void
}

/** Hears what reaches a process of what it asks the store, as long as that process still waits for it. */
export interface StoreWitness {
  /** The process has been told this. */
  told(snapshot: Snapshot): void
  /** So many questions about a key in a row, two at least, were refused or not answered in time. */
  unreachable(key: string): void
}

/** Core asks everything twice before it takes the store for down. */
const UNANSWERED = 2

/** Core's bound of one question, milliseconds. */
const PATIENCE_MS = 1_000

/** The one store of a world, as its processes reach it over their wires. It can stall, go down, lose data and have its clock set. */
export class SimulatedStore {
  readonly audit: StoreAudit
  readonly #timeline: Timeline
  readonly #inner: PlayableStore
  readonly #operations: OperationAudit
  readonly #leases: LeaseLog
  readonly #news: StoreNews
  readonly #waiting: (() => void)[] = []
  readonly #asItBegan: (() => void) | undefined
  /** Keys that something was written to since all was lost. */
  #keys = new Set<string>()
  #clockMs = 0
  /** What is on, each with what is to be called once, when it befalls an operation. */
  readonly #stalls = new Set<() => void>()
  readonly #outages = new Set<() => void>()
  readonly #misreadings = new Set<() => void>()

  constructor(
    timeline: Timeline,
    open: (clock: { wall(): number }) => PlayableStore,
    parts: { readonly news: StoreNews; readonly operations: OperationAudit; readonly leases: LeaseLog },
  ) {
    this.#timeline = timeline
    this.#inner = open({ wall: () => EPOCH_MS + timeline.now + this.#clockMs })
    this.#asItBegan = this.#inner.checkpoint?.()
    this.#operations = parts.operations
    this.#leases = parts.leases
    this.#news = parts.news
    this.audit = new StoreAudit(this.#inner, parts.news, parts.leases)
  }

  get canRollBack(): boolean {
    return this.#asItBegan !== undefined
  }

  /** Whether it tells processes of what others have changed. */
  get pushes(): boolean {
    return this.#inner.capabilities.push
  }

  get canLoseRows(): boolean {
    return this.#inner.lose !== undefined
  }

  /** What arrives is carried out when the stall is over. @param strikes called once, when something is held up @returns what ends it */
  stall(strikes: () => void): () => void {
    const end = begin(this.#stalls, strikes)
    return () => {
      end()
      if (this.#stalls.size === 0) for (const carryOut of this.#waiting.splice(0)) carryOut()
    }
  }

  /** What arrives is refused. @param strikes called once, when something is @returns what ends it */
  goDown(strikes: () => void): () => void {
    return begin(this.#outages, strikes)
  }

  /** Its clock is wrong. @param strikes called once, when something is carried out by it @returns what ends it */
  misread(strikes: () => void): () => void {
    return begin(this.#misreadings, strikes)
  }

  stepClock(ms: number): void {
    this.#clockMs += ms
  }

  /** How far the store's clock is ahead of true time, milliseconds. */
  get clockMs(): number {
    return this.#clockMs
  }

  /** What a record holds, as nobody in the world is told. */
  async look(key: string): Promise<Snapshot> {
    const [snapshot] = await this.#inner.read([key], { signal: new AbortController().signal })
    if (snapshot === undefined) throw new Error(`the store says nothing about ${key}`)
    return snapshot
  }

  /** Remembers all records; what is returned puts them back if anything was written since, and says whether it was. */
  checkpoint(): () => boolean {
    const restore = this.#inner.checkpoint?.()
    const { changes } = this.audit
    const keys = [...this.#keys]
    return () => {
      if (restore === undefined || this.audit.changes === changes) return false
      restore()
      this.#keys = new Set(keys)
      this.audit.rolledBack(changes)
      return true
    }
  }

  /** Loses every record. @returns whether there was one */
  empty(): boolean {
    if (this.#asItBegan === undefined || this.#keys.size === 0) return false
    this.#asItBegan()
    this.#keys.clear()
    this.audit.forget()
    return true
  }

  /** Loses one record. @returns its key, if there is one */
  loseOne(draws: Draws): string | undefined {
    if (this.#inner.lose === undefined || this.#keys.size === 0) return undefined
    const key = draws.pick([...this.#keys])
    this.#inner.lose(key)
    this.#keys.delete(key)
    this.audit.forget(key)
    return key
  }

  /** The store as one process sees it. */
  over(wire: Wire, process: SimulatedProcess, witness: StoreWitness): TokenStore {
    const inner = this.#inner
    const operations = this.#operations
    const send = <T>(carryOut: () => Promise<T>, signal?: AbortSignal): Promise<T> => {
      const { life } = process
      return wire.request((again) => this.#admit(carryOut, () => !again && signal?.aborted !== true && life === process.life))
    }
    const writing = (key: string): PlayableStore => {
      this.#keys.add(key)
      return inner
    }
    // What was sent is carried out, whatever has become of whoever sent it.
    const unattended: Operation = { signal: new AbortController().signal }
    // By operation and key: an answer to one in between makes nothing of what another has not told.
    const unanswered = new Map<string, number>()
    const attended = async <T>(
      name: keyof TokenStore,
      keys: readonly string[],
      { signal }: Operation,
      work: () => Promise<T>,
      snapshots: (answer: T) => readonly Snapshot[],
    ): Promise<T> => {
      signal.throwIfAborted()
      const failed = () => {
        for (const key of keys) {
          const times = (unanswered.get(`${name} ${key}`) ?? 0) + 1
          unanswered.set(`${name} ${key}`, times)
          if (times >= UNANSWERED) witness.unreachable(key)
        }
      }
      signal.addEventListener('abort', failed, { once: true })
      const answered = this.#expect(process, keys, signal)
      try {
        const answer = await work()
        // What comes after that is told to nobody.
        if (signal.aborted) return answer
        for (const key of keys) unanswered.delete(`${name} ${key}`)
        for (const snapshot of snapshots(answer)) {
          operations.told(process, snapshot)
          witness.told(snapshot)
        }
        return answer
      } catch (error) {
        if (!signal.aborted) failed()
        throw error
      } finally {
        answered()
        signal.removeEventListener('abort', failed)
      }
    }
    const itself = (snapshot: Snapshot) => [snapshot]
    const its = ({ snapshot }: Claim | Publication) => [snapshot]
    return {
      contractVersion: 1,
      capabilities: inner.capabilities,
      read: (keys, operation) =>
        attended(
          'read',
          keys,
          operation,
          () => send<Snapshot[]>(() => inner.read(keys, unattended), operation.signal),
          (snapshots) => snapshots,
        ),
      claim: (key, attempt, request, operation) => {
        const ask = () => {
          const claim = () =>
            send(
              () => this.audit.claim(key, attempt, request, () => writing(key).claim(key, attempt, request, unattended)),
              operation.signal,
            )
          return operations.claim(process, key, attempt, operation, claim, (fence) => this.#leases.granted(key, fence))
        }
        return attended('claim', [key], operation, ask, its)
      },
      publish: (key, attempt, fence, request, operation) => {
        const ask = () => {
          this.#news.sent(key, request, process.name)
          const carryOut = () => writing(key).publish(key, attempt, fence, request, unattended)
          return operations.publish(process, key, attempt, request, operation, () =>
            send(() => this.audit.publish(key, attempt, fence, request, carryOut), operation.signal),
          )
        }
        return attended('publish', [key], operation, ask, its)
      },
      settle: (key, attempt, fence, request, operation) => {
        const ask = () => {
          const carryOut = () => inner.settle(key, attempt, fence, request, unattended)
          return operations.settle(process, key, attempt, () =>
            send(() => this.audit.settle(key, attempt, fence, request, carryOut), operation.signal),
          )
        }
        return attended('settle', [key], operation, ask, itself)
      },
      invalidate: (key, version, operation) => {
        const carryOut = () => writing(key).invalidate(key, version, unattended)
        const ask = () => send(() => this.audit.invalidate(key, version, carryOut), operation.signal)
        return attended('invalidate', [key], operation, ask, itself)
      },
      ...(inner.subscribe !== undefined && {
        subscribe: async (listener: (change: StoreChange) => void) => {
          const receive = process.receiver()
          const stop = await send(async () => inner.subscribe?.((change) => wire.hint(() => receive(() => listener(change)))))
          return async () => {
            await stop?.()
          }
        },
      }),
      async close() {},
    }
  }

  /** Whoever asks does not wait for ever, unless they stand still themselves. @returns to be called when there is an answer */
  #expect(process: SimulatedProcess, keys: readonly string[], signal: AbortSignal): () => void {
    const { now } = this.#timeline
    const { life } = process
    return this.#timeline.at(now + PATIENCE_MS + SLACK_MS, () => {
      if (signal.aborted || life !== process.life || process.pausedAt >= now) return
      this.#news.violate(`${process.name} waits for longer than ${PATIENCE_MS} ms for what the store says of ${keys.join()}`)
    })
  }

  /** @param isAwaited whether anybody still waits for the answer: what befalls others befalls nobody */
  async #admit<T>(carryOut: () => Promise<T>, isAwaited: () => boolean): Promise<T> {
    const befall = (troubles: ReadonlySet<() => void>) => {
      if (isAwaited()) for (const strikes of troubles) strikes()
    }
    if (this.#outages.size > 0) {
      befall(this.#outages)
      throw new Error('the store is down')
    }
    if (this.#stalls.size > 0) {
      befall(this.#stalls)
      await new Promise<void>((carriedOut) => this.#waiting.push(carriedOut))
    }
    befall(this.#misreadings)
    return carryOut()
  }
}

/** A trouble begins that strikes once, if it does. @returns what ends it */
function begin(troubles: Set<() => void>, strikes: () => void): () => void {
  let isStruck = false
  const strike = () => {
    if (!isStruck) strikes()
    isStruck = true
  }
  troubles.add(strike)
  return () => void troubles.delete(strike)
}
