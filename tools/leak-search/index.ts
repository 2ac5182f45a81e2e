/**
 * No secret may reach a log line, an event, an error or a key name. Tests say what is secret and record what users get to see;
 * when the run ends everything recorded and everything printed is searched, and a find fails the run.
 *
 * ```ts
 * const appSecret = secret('kq0Zt7…', 'app secret')       // or randomSecret('app secret')
 * manager.onEvent = (event) => record('event', event)
 * await expect(tokens.ready()).rejects.toSatisfy((error) => record('error', error))
 * ```
 *
 * Works in a test and in a process that a test starts, as long as it inherits the environment. What such a process prints is not
 * seen by itself: record it. Diagnostics-channel messages and this process's output are recorded without asking.
 *
 * @module
 */
import { randomBytes } from 'node:crypto'
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { threadId } from 'node:worker_threads'
import { WINDOW } from './needles.ts'
import { render } from './render.ts'

/** Folder of this run's transcript; set for the workers by the global setup. */
export const FOLDER_VARIABLE = 'TOKENWELL_LEAK_SEARCH'

/** Registered so that the setup file can tell which test is running to a copy of this module in another module graph. */
export const CURRENT_TEST = Symbol.for('tokenwell.leak-search.current-test')

function append(kind: 'secrets' | 'transcript', line: object): void {
  const folder = process.env[FOLDER_VARIABLE]
  if (folder === undefined) throw new Error('leak search: not set up; run the tests with the vitest.config.ts of the repository')
  appendFileSync(join(folder, `${kind}-${process.pid}-${threadId}.jsonl`), `${JSON.stringify(line)}\n`)
}

function currentTest(): string {
  const tell = (globalThis as { [CURRENT_TEST]?: () => string })[CURRENT_TEST]
  return tell === undefined ? `process ${process.pid}` : tell()
}

/** Where `secret` was called, for want of a label. */
function callSite(): string {
  const frame = new Error().stack?.split('\n').find((line, at) => at > 0 && !line.includes('leak-search/index'))
  return /[^/\\(]+:\d+:\d+/.exec(frame ?? '')?.[0] ?? 'unlabelled'
}

/**
 * Registers a secret of this run and returns it. No 12 characters in a row of it may show up anywhere, in any common encoding: use random
 * ones, a word would be found where nothing leaked. `label` is how a find names it; default: the place of the call.
 */
export function secret<T extends string>(value: T, label: string = callSite()): T {
  if (value.length < WINDOW) throw new TypeError(`secret(): takes at least ${WINDOW} characters, got ${value.length} (${label})`)
  append('secrets', { label, value })
  return value
}

/** A fresh registered secret of 32 characters. */
export function randomSecret(label: string = callSite()): string {
  return secret(randomBytes(24).toString('base64url'), label)
}

/** Adds all that can be seen of a value to the transcript. Returns true, to fit into an assertion. */
export function record(source: string, value: unknown): true {
  append('transcript', { source, test: currentTest(), text: render(value) })
  return true
}

/** The error a promise rejects with, recorded; fails when it resolves. */
export async function errorOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise
  } catch (error) {
    record('error', error)
    return error
  }
  throw new Error('expected a rejection')
}
