import type { StoreChange, TokenStore } from '@tokenwell/core'
import type { Defect, Defects } from './broken-store.ts'

type Listener = (change: StoreChange) => void

type Changing = 'claim' | 'publish' | 'settle' | 'invalidate'

/** Calls `before` and `after` around every operation that may change a record. */
function watching(
  instance: TokenStore,
  { before = () => {}, after = () => {} }: { before?: (operation: Changing) => void; after?: (operation: Changing, kind?: string) => void },
): TokenStore {
  const watched =
    <Args extends unknown[], Answer extends object>(operation: Changing, call: (...args: Args) => Promise<Answer>) =>
    async (...args: Args): Promise<Answer> => {
      before(operation)
      const answer = await call(...args)
      after(operation, 'kind' in answer ? String(answer.kind) : undefined)
      return answer
    }
  return {
    ...instance,
    claim: watched('claim', instance.claim),
    publish: watched('publish', instance.publish),
    settle: watched('settle', instance.settle),
    invalidate: watched('invalidate', instance.invalidate),
  }
}

async function subscribeTo(instance: TokenStore, listener: Listener): Promise<() => Promise<void>> {
  const stop = await instance.subscribe?.(listener)
  if (stop === undefined) throw new Error('the memory store can push')
  return stop
}

/** Does not tell of changes by one operation, or by another instance. */
function silent(about: (operation: Changing | undefined, change: StoreChange) => boolean): Defect {
  let last: Changing | undefined
  return {
    around: (instance) => ({
      ...watching(instance, {
        before: (operation) => {
          last = operation
        },
      }),
      subscribe: (listener) =>
        subscribeTo(instance, (change) => {
          if (!about(last, change)) listener(change)
        }),
    }),
  }
}

/** Tells of a change after an operation that made none. */
function talkative(about: (operation: Changing, kind: string | undefined) => boolean): Defect {
  const listeners = new Set<Listener>()
  return {
    around: (instance) => ({
      ...watching(instance, {
        after: (operation, kind) => {
          if (!about(operation, kind)) return
          for (const listener of listeners) tell(listener, { kind: 'changed', key: 'a key', version: -1 })
        },
      }),
      async subscribe(listener) {
        listeners.add(listener)
        const stop = await subscribeTo(instance, listener)
        return async () => {
          listeners.delete(listener)
          await stop()
        }
      },
      async close() {
        listeners.clear()
        await instance.close()
      },
    }),
  }
}

function tell(listener: Listener, change: StoreChange): void {
  try {
    listener(change)
  } catch {
    // Not what this store does wrong.
  }
}

const versionOf = (change: StoreChange): number => (change.kind === 'changed' ? change.version : 0)

export const subscribeDefects: Defects = {
  'subscribe: an accepted publication is announced': {
    ...silent((operation) => operation === 'publish'),
    also: [
      'subscribe: a change can be read by the time it is announced',
      'subscribe: changes made through either instance are announced',
      'subscribe: after unsubscribing nothing is announced, and other listeners go on',
      'subscribe: a listener that throws harms neither the operation nor other listeners',
    ],
  },
  'subscribe: a release is announced': silent((operation, change) => operation === 'settle' && versionOf(change) > 0),
  'subscribe: a failure is announced, also when nothing was ever published': silent(
    (operation, change) => operation === 'settle' && versionOf(change) === 0,
  ),
  'subscribe: an invalidation is announced': silent((operation) => operation === 'invalidate'),
  'subscribe: a change can be read by the time it is announced': {
    around: (instance) => {
      const listeners = new Set<Listener>()
      return {
        ...instance,
        async subscribe(listener) {
          listeners.add(listener)
          const stop = await subscribeTo(instance, listener)
          return async () => {
            listeners.delete(listener)
            await stop()
          }
        },
        async publish(key, attempt, fence, request, operation) {
          const [before] = await instance.read([key], operation)
          if ((before?.version ?? 0) < fence && request.maxAheadMs === undefined) {
            for (const listener of listeners) tell(listener, { kind: 'changed', key, version: fence })
            for (let turn = 0; turn < 10; turn++) await undefined
          }
          return instance.publish(key, attempt, fence, request, operation)
        },
      }
    },
  },
  'subscribe: changes made through either instance are announced': {
    around: (instance) => {
      let own = false
      return {
        ...watching(instance, {
          before: () => {
            own = true
          },
        }),
        subscribe: (listener) =>
          subscribeTo(instance, (change) => {
            if (own) listener(change)
            own = false
          }),
      }
    },
    also: ['subscribe: a listener that throws harms neither the operation nor other listeners', 'subscribe: an invalidation is announced'],
  },
  'subscribe: a publication that changed nothing is not announced': talkative(
    (operation, kind) => operation === 'publish' && kind !== 'accepted',
  ),
  'subscribe: a publication delivered again is not announced again': talkative(
    (operation, kind) => operation === 'publish' && kind === 'accepted',
  ),
  'subscribe: a settlement that changed nothing is not announced': talkative((operation) => operation === 'settle'),
  'subscribe: an invalidation that changed nothing is not announced': talkative((operation) => operation === 'invalidate'),
  'subscribe: reads and claims are not announced': talkative((operation) => operation === 'claim'),
  'subscribe: after unsubscribing nothing is announced, and other listeners go on': {
    around: (instance) => ({
      ...instance,
      async subscribe(listener) {
        await subscribeTo(instance, listener)
        return async () => {}
      },
    }),
  },
  'subscribe: unsubscribing twice is harmless': {
    around: (instance) => ({
      ...instance,
      async subscribe(listener) {
        const stop = await subscribeTo(instance, listener)
        let stopped = false
        return async () => {
          if (stopped) throw new Error('not subscribed')
          stopped = true
          await stop()
        }
      },
    }),
  },
  'subscribe: a listener that throws harms neither the operation nor other listeners': {
    around: (instance) => {
      const listeners = new Set<Listener>()
      return {
        ...instance,
        async subscribe(listener) {
          listeners.add(listener)
          const stop = await subscribeTo(instance, (change) => {
            const [first] = listeners
            if (listener === first) for (const each of listeners) each(change)
          })
          return async () => {
            listeners.delete(listener)
            await stop()
          }
        },
      }
    },
  },
  'subscribe: close ends the subscriptions of its instance': {
    around: (instance) => ({ ...instance, close: async () => {} }),
  },
}
