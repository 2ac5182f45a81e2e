import type { Cases } from './cases.ts'
import { same } from './expect.ts'
import { LONG_MS, patient } from './subject.ts'

export const durableCases: Cases = {
  'records outlive the instances that wrote them': async (subject) => {
    const version = await subject.accept('a')
    const fence = await subject.grant('b', { seen: version + 1 })
    await subject.settle('b', fence, { backoffMs: LONG_MS, failure: 'down' })
    await subject.invalidate(version)
    const [before] = await subject.store.read(['a key'], patient())
    for (const store of subject.open.stores) await store.close()

    const reopened = await subject.open.reopen?.()
    if (reopened === undefined) throw new Error('the factory of a durable store must be able to reopen it')
    try {
      const [after] = await reopened.read(['a key'], patient())
      same([after?.version, after?.value, after?.rejectedUpTo], [before?.version, before?.value, before?.rejectedUpTo], 'record')
      same([after?.backoff?.failures, after?.backoff?.failure], [1, 'down'], 'count and failure')
    } finally {
      await reopened.close()
    }
  },
}
