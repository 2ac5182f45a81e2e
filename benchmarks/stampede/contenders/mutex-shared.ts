import { library } from '../../measure/library.ts'
import type { Contender } from '../contender.ts'
import { openMutex } from '../mutex.ts'

/** The callers of a process share one promise, which is what somebody would write who has measured the plain one. */
export const contender: Contender = {
  name: `${library('redis-semaphore')}, per process`,
  open(places) {
    const opened = openMutex(places)
    return (clientId) => {
      const get = opened(clientId)
      let underWay: Promise<string> | undefined
      return () => {
        underWay ??= get().finally(() => {
          underWay = undefined
        })
        return underWay
      }
    }
  },
}
