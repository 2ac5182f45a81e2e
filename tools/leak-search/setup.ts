/** Runs in every test worker: what it prints and what Tokenwell publishes for diagnosis goes into the transcript. */
import { subscribe } from 'node:diagnostics_channel'
import { format, inspect } from 'node:util'
import { expect } from 'vitest'
import { CURRENT_TEST, record } from './index.ts'

const TEED = Symbol.for('tokenwell.leak-search.teed')
type Method = ((...args: unknown[]) => unknown) & { [TEED]?: true }

const scope = globalThis as { [CURRENT_TEST]?: () => string; [TEED]?: true }

scope[CURRENT_TEST] = () => {
  const { currentTestName, testPath } = expect.getState()
  return [testPath?.split(/[\\/]/).pop(), currentTestName].filter(Boolean).join(' > ') || 'outside a test'
}

/** Replaces `object[name]` by one that records first. Doing it again changes nothing: a worker may run several test files. */
function tee(object: object, name: string, source: string, text: (args: unknown[]) => unknown): void {
  const holder = object as Record<string, Method>
  const original = holder[name]
  if (typeof original !== 'function' || original[TEED]) return
  const replacement: Method = function (this: unknown, ...args: unknown[]) {
    record(source, text(args))
    return Reflect.apply(original, this, args)
  }
  replacement[TEED] = true
  holder[name] = replacement
}

const written = ([chunk]: unknown[]) => (chunk instanceof Uint8Array ? Buffer.from(chunk).toString() : String(chunk))
tee(process.stdout, 'write', 'stdout', written)
tee(process.stderr, 'write', 'stderr', written)

// The console of a test does not write to stdout but to its runner.
for (const name of ['log', 'info', 'debug', 'warn', 'error', 'trace', 'assert', 'group', 'groupCollapsed']) {
  tee(console, name, `console.${name}`, (args) => format(...args))
}
for (const name of ['dir', 'table', 'dirxml']) tee(console, name, `console.${name}`, (args) => args.map((each) => inspect(each)).join(' '))

if (!scope[TEED]) {
  scope[TEED] = true
  subscribe('tokenwell', (message) => record('diagnostics channel', message))
}
