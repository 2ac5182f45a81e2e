import type { Benchmark } from './benchmark.ts'
import { hotPath } from './hot-path/index.ts'
import { rotation } from './rotation/index.ts'
import { scale } from './scale/index.ts'
import { coldStampede } from './stampede/index.ts'
import { startUp } from './start-up/index.ts'
import { storeOperations } from './store-operations/index.ts'

/** All of them, in the order of their page. */
export const BENCHMARKS: readonly Benchmark[] = [hotPath, coldStampede, rotation, storeOperations, scale, startUp]
