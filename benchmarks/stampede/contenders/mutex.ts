import type { Contender } from '../contender.ts'
import { openMutex } from '../mutex.ts'

export const contender: Contender = { name: 'redis-semaphore 5.8, per caller', open: openMutex }
