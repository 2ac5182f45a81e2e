import type { Operation, Snapshot, StoreChange, TokenStore } from '@tokenwell/core'
import { type Entry, machineNow, type StoreCall } from './entry.ts'
import type { Points } from './points.ts'

interface Observer {
  readonly node: string
  readonly points: Points
  readonly tell: (entry: Entry) => void
}

type About = Omit<StoreCall, 'kind' | 'sentAt' | 'outcome' | 'version'>
type Told = Pick<StoreCall, 'outcome' | 'version' | 'fence'>

export interface ObservedStore {
  readonly store: TokenStore
  /** The highest version of a token that the store has called rejected so far. Default: of the app's. */
  rejectedUpTo(key?: string): number
  /** Whether no call is under way. */
  readonly isIdle: boolean
  /** From now on no hint is passed on. Resolves when no call is under way any more. */
  still(): Promise<void>
  /** Passes on what was kept back. */
  goOn(): void
}

/** The store as it is, with a note of every call, and with the points at which a holder can be held. */
export function observedStore(store: TokenStore, { node, points, tell }: Observer): ObservedStore {
  const underWay = new Set<Promise<unknown>>()
  let kept: (() => void)[] | undefined

  async function noted<T>(about: About, call: () => Promise<T>, told: (answer: T) => Told): Promise<T> {
    const noting = note(about, call, told)
    underWay.add(noting)
    try {
      return await noting
    } finally {
      underWay.delete(noting)
    }
  }

  async function note<T>(about: About, call: () => Promise<T>, told: (answer: T) => Told): Promise<T> {
    const sentAt = machineNow()
    const say = (outcome: Told) => tell({ at: machineNow(), node, kind: 'store', sentAt, ...about, ...outcome })
    try {
      const answer = await call()
      say(told(answer))
      return answer
    } catch (error) {
      say({ outcome: 'failed' })
      throw error
    }
  }
  const rejected = new Map<string, number>()
  const said = (outcome: string, { version }: Snapshot): Told => ({ outcome, version })
  /**
   * The process knows it from now on: not while it is held at a point with the answer in hand, nor if it has given the question up
   * meanwhile.
   */
  const known = ({ key, rejectedUpTo }: Snapshot, { signal }: Operation) => {
    if (signal.aborted) return
    const name = isToken(key) ? APP : key
    rejected.set(name, Math.max(rejected.get(name) ?? 0, rejectedUpTo))
  }

  const observed: TokenStore = {
    ...store,
    ...(store.subscribe !== undefined && {
      subscribe: (listener: (change: StoreChange) => void) =>
        store.subscribe?.((change) => {
          tell({ at: machineNow(), node, kind: 'hint' })
          if (kept === undefined) listener(change)
          else kept.push(() => listener(change))
        }) ?? Promise.reject(new Error('unreachable')),
    }),
    async read(keys, operation) {
      const [key = ''] = keys
      const snapshots = await noted(
        { operation: 'read', key },
        () => store.read(keys, operation),
        ([first]) => (first === undefined ? { outcome: 'read' } : said('read', first)),
      )
      for (const snapshot of snapshots) known(snapshot, operation)
      return snapshots
    },
    async claim(key, attempt, request, operation) {
      const claim = await noted(
        { operation: 'claim', key, attempt, leaseMs: request.leaseMs },
        () => store.claim(key, attempt, request, operation),
        (answer) => ({ ...said(answer.kind, answer.snapshot), ...(answer.kind === 'granted' && { fence: answer.fence }) }),
      )
      if (claim.kind === 'granted') await points.reach('claimed')
      known(claim.snapshot, operation)
      return claim
    },
    async publish(key, attempt, fence, request, operation) {
      if (isHeldAt(key)) await points.reach('publishing')
      const publication = await noted(
        { operation: 'publish', key, attempt, fence },
        () => store.publish(key, attempt, fence, request, operation),
        ({ kind, snapshot }) => said(kind, snapshot),
      )
      if (isHeldAt(key)) await points.reach('published')
      known(publication.snapshot, operation)
      return publication
    },
    async settle(key, attempt, fence, request, operation) {
      const snapshot = await noted(
        { operation: 'settle', key, attempt, fence },
        () => store.settle(key, attempt, fence, request, operation),
        (answer) => said('settled', answer),
      )
      known(snapshot, operation)
      return snapshot
    },
    async invalidate(key, version, operation) {
      const snapshot = await noted(
        { operation: 'invalidate', key, fence: version },
        () => store.invalidate(key, version, operation),
        (answer) => said('invalidated', answer),
      )
      known(snapshot, operation)
      return snapshot
    },
  }

  return {
    store: observed,
    rejectedUpTo: (key = APP) => rejected.get(isToken(key) ? APP : key) ?? 0,
    get isIdle() {
      return underWay.size === 0
    },
    async still() {
      kept ??= []
      while (underWay.size > 0) await Promise.allSettled(underWay)
    },
    goOn() {
      const hints = kept ?? []
      kept = undefined
      for (const pass of hints) pass()
    },
  }
}

/** The keys whose holders are held before and after they publish. */
function isHeldAt(key: string): boolean {
  return isToken(key) || key.includes('/user-access-token/')
}

const APP = '/app-access-token'

function isToken(key: string): boolean {
  return key.endsWith(APP)
}
