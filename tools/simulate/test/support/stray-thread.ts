import { setImmediate as turn } from 'node:timers/promises'
import { parentPort } from 'node:worker_threads'
import { withStrays } from '../../strays.ts'

/** In a thread of its own: a runner of tests would take what nobody catches for a failure of the test. */
const first = await withStrays(async () => {
  void Promise.reject(new TypeError('rejected'))
  setImmediate(() => {
    throw new RangeError('thrown')
  })
  await turn()
  await turn()
  return 'done'
})
const second = await withStrays(() => Promise.resolve('sound'))
parentPort?.postMessage([first, second])
