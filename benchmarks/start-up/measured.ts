import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

/** Of one process, which has imported some modules and done nothing else. */
export interface Measured {
  /** Of a processor, before the first import. */
  readonly startProcessorMs: number
  readonly importMs: number
  /** Of a processor: does not grow while other processes take turns. */
  readonly importProcessorMs: number
  /** After a collection. */
  readonly heapBytes: number
  /** Before it. */
  readonly rssBytes: number
}

const WORKER = fileURLToPath(new URL('worker.mjs', import.meta.url))
const LONGEST_MS = 60_000

/** Imports modules in a process of its own, from files as a user has them: nothing compiled is kept from the last time. */
export async function importing(modules: readonly string[]): Promise<Measured> {
  const env = { ...process.env, NODE_DISABLE_COMPILE_CACHE: '1' }
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', WORKER, ...modules], { env, timeout: LONGEST_MS })
  return JSON.parse(stdout) as Measured
}
