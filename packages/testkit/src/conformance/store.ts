import type { Operation, TokenStore } from '@tokenwell/core'
import type { Cases } from './cases.ts'
import { rejects, same } from './expect.ts'

const publication = { value: 'value', renewInMs: 1000, expiresInMs: 2000 }

const operations: Readonly<Record<string, (store: TokenStore, operation: Operation) => Promise<unknown>>> = {
  read: (store, operation) => store.read(['key'], operation),
  claim: (store, operation) => store.claim('key', 'a', { leaseMs: 1000, seen: 0, rejected: 0 }, operation),
  publish: (store, operation) => store.publish('key', 'a', 1, publication, operation),
  settle: (store, operation) => store.settle('key', 'a', 1, { backoffMs: 0 }, operation),
  invalidate: (store, operation) => store.invalidate('key', 1, operation),
}

/** What concerns the store as a whole. */
export function storeCases(capabilities: TokenStore['capabilities']): Cases {
  const abortedCases: Record<string, Cases[string]> = {}
  for (const [name, call] of Object.entries(operations)) {
    abortedCases[`${name} with a signal that is aborted already rejects with its reason`] = async ({ store }) => {
      const reason = new Error('given up')
      await rejects(call(store, { signal: AbortSignal.abort(reason) }), name, reason)
    }
  }
  return {
    'it names the version of the contract': async ({ store }) => same(store.contractVersion, 1, 'contractVersion'),

    'it has the capabilities it was declared to have': async ({ store }) =>
      same({ ...store.capabilities }, { ...capabilities }, 'capabilities'),

    'close can be called again': async ({ open }) => {
      for (const store of open.stores) await store.close()
      for (const store of open.stores) await store.close()
    },

    ...abortedCases,

    'an operation that is given up on its way ends all the same': async ({ store, clock }) => {
      for (const [name, call] of Object.entries(operations)) {
        const controller = new AbortController()
        let ended = false
        const end = () => {
          ended = true
        }
        call(store, { signal: controller.signal }).then(end, end)
        controller.abort(new Error('given up'))
        for (let round = 0; round < 50 && !ended; round++) await clock.pass(20)
        same(ended, true, `${name} ended`)
      }
    },
  }
}
