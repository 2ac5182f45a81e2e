import type { Operation } from '@tokenwell/core'
import type { Defects } from './broken-store.ts'

const patient = (): Operation => ({ signal: new AbortController().signal })

export const storeDefects: Defects = {
  'store: it names the version of the contract': {
    around: (instance) => ({ ...instance, contractVersion: Number(2) as 1 }),
  },
  'store: it has the capabilities it was declared to have': {
    around: (instance) => ({ ...instance, capabilities: { ...instance.capabilities, durable: true } }),
  },
  'store: close can be called again': {
    around: (instance) => {
      let closed = false
      return {
        ...instance,
        async close() {
          if (closed) throw new Error('closed already')
          closed = true
          await instance.close()
        },
      }
    },
  },
  'store: an operation that is given up on its way ends all the same': {
    around: (instance) => ({
      ...instance,
      async settle(key, attempt, fence, request, operation) {
        operation.signal.throwIfAborted()
        await undefined
        return operation.signal.aborted ? new Promise(() => {}) : instance.settle(key, attempt, fence, request, operation)
      },
    }),
  },
  'store: read with a signal that is aborted already rejects with its reason': {
    around: (instance) => ({ ...instance, read: (keys) => instance.read(keys, patient()) }),
  },
  'store: claim with a signal that is aborted already rejects with its reason': {
    around: (instance) => ({ ...instance, claim: (key, attempt, request) => instance.claim(key, attempt, request, patient()) }),
  },
  'store: publish with a signal that is aborted already rejects with its reason': {
    around: (instance) => ({
      ...instance,
      publish: (key, attempt, fence, request) => instance.publish(key, attempt, fence, request, patient()),
    }),
  },
  'store: settle with a signal that is aborted already rejects with its reason': {
    around: (instance) => ({
      ...instance,
      settle: (key, attempt, fence, request) => instance.settle(key, attempt, fence, request, patient()),
    }),
  },
  'store: invalidate with a signal that is aborted already rejects with its reason': {
    around: (instance) => ({ ...instance, invalidate: (key, version) => instance.invalidate(key, version, patient()) }),
  },
}
