import { library } from '../../measure/library.ts'
import type { Contender } from '../contender.ts'
import { openMutex } from '../mutex.ts'

export const contender: Contender = { name: `${library('redis-semaphore')}, per caller`, open: openMutex }
