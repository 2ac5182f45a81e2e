import type { Operation, Snapshot, StoreChange, TokenStore } from '@tokenwell/core'
import type { LeaseLog } from './lease-log.ts'
import type { OperationAudit } from './operation-audit.ts'
import { EPOCH_MS, type SimulatedProcess } from './simulated-process.ts'
import { StoreAudit, type StoreNews } from './store-audit.ts'
import type { Timeline } from './timeline.ts'
import type { Wire } from './wire.ts'

/** A store that a world can be played on: it must go by the clock it is given, and by no other. */
export interface PlayableStore extends TokenStore {
  /** Remembers every record; the function puts them back. Without it nothing is rolled back and no row is lost. */
  checkpoint?(): () => void
}

interface Waiting {
  readonly begin: () => void
}

/** The one store of a world, as its processes reach it over their wires. It can stall, go down, lose data and have its clock set. */
export class SimulatedStore {
  readonly audit: StoreAudit
  readonly #inner: PlayableStore
  readonly #operations: OperationAudit
  readonly #leases: LeaseLog
  readonly #waiting: Waiting[] = []
  readonly #asItBegan: (() => void) | undefined
  #clockMs = 0
  #isStalled = false
  #isDown = false

  constructor(
    timeline: Timeline,
    open: (clock: { wall(): number }) => PlayableStore,
    parts: { readonly news: StoreNews; readonly operations: OperationAudit; readonly leases: LeaseLog },
  ) {
    this.#inner = open({ wall: () => EPOCH_MS + timeline.now + this.#clockMs })
    this.#asItBegan = this.#inner.checkpoint?.()
    this.#operations = parts.operations
    this.#leases = parts.leases
    this.audit = new StoreAudit(this.#inner, parts.news, parts.leases)
  }

  get canRollBack(): boolean {
    return this.#asItBegan !== undefined
  }

  /** What arrives is carried out when the stall is over. */
  set isStalled(stalled: boolean) {
    this.#isStalled = stalled
    if (!stalled) for (const { begin } of this.#waiting.splice(0)) begin()
  }

  /** What arrives is refused. */
  set isDown(down: boolean) {
    this.#isDown = down
  }

  stepClock(ms: number): void {
    this.#clockMs += ms
  }

  /** How far the store's clock is ahead of true time, milliseconds. */
  get clockMs(): number {
    return this.#clockMs
  }

  /** Remembers all records; what is returned puts them back. */
  checkpoint(): () => void {
    const restore = this.#inner.checkpoint?.()
    return () => {
      restore?.()
      this.audit.forget()
    }
  }

  /** Loses every record. */
  lose(): void {
    this.#asItBegan?.()
    this.audit.forget()
  }

  /** The store as one process sees it. */
  over(wire: Wire, process: SimulatedProcess): TokenStore {
    const inner = this.#inner
    const operations = this.#operations
    const send = <T>(carryOut: () => Promise<T>): Promise<T> => wire.request(() => this.#admit(carryOut))
    // What was sent is carried out, whatever has become of whoever sent it.
    const unattended: Operation = { signal: new AbortController().signal }
    const attended = async <T>({ signal }: Operation, work: () => Promise<T>): Promise<T> => {
      signal.throwIfAborted()
      return work()
    }
    return {
      contractVersion: 1,
      capabilities: inner.capabilities,
      read: (keys, operation) => attended(operation, () => send<Snapshot[]>(() => inner.read(keys, unattended))),
      claim: (key, attempt, request, operation) =>
        attended(operation, () => {
          const claim = () => send(() => this.audit.claim(key, attempt, () => inner.claim(key, attempt, request, unattended)))
          return operations.claim(process, key, attempt, operation, claim, (fence) => this.#leases.granted(key, fence))
        }),
      publish: (key, attempt, fence, request, operation) =>
        attended(operation, () => {
          const carryOut = () => inner.publish(key, attempt, fence, request, unattended)
          return operations.publish(process, key, attempt, request, operation, () =>
            send(() => this.audit.publish(key, attempt, fence, request, carryOut)),
          )
        }),
      settle: (key, attempt, fence, request, operation) =>
        attended(operation, () => {
          const carryOut = () => inner.settle(key, attempt, fence, request, unattended)
          return operations.settle(process, key, attempt, () => send(() => this.audit.settle(key, attempt, fence, request, carryOut)))
        }),
      invalidate: (key, version, operation) =>
        attended(operation, () => send(() => this.audit.invalidate(key, version, () => inner.invalidate(key, version, unattended)))),
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

  async #admit<T>(carryOut: () => Promise<T>): Promise<T> {
    if (this.#isDown) throw new Error('the store is down')
    if (this.#isStalled) await new Promise<void>((begin) => this.#waiting.push({ begin }))
    return carryOut()
  }
}
