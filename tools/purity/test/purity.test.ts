import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { type Violation, violations } from '../rules.ts'

const core = fileURLToPath(new URL('../../../packages/core/src', import.meta.url))
const files = readdirSync(core, { recursive: true, encoding: 'utf8' })
  .map((file) => file.replaceAll('\\', '/'))
  .filter((file) => file.endsWith('.ts'))

describe('the sources of core', () => {
  it('are there', () => {
    expect(files).toContain('clock.ts')
    expect(files.some((file) => file.startsWith('machine/'))).toBe(true)
  })

  it('keep the machine pure, time and chance injected, undici in one place and feishu/ on top', () => {
    const found = files.flatMap((file) => violations(file, readFileSync(join(core, file), 'utf8')))
    expect(found.map(({ file, line, message }) => `${file}:${line} ${message}`)).toEqual([])
  })
})

describe('the rules catch', () => {
  const machine: ReadonlyArray<readonly [rule: Violation['rule'], source: string]> = [
    ['machine', "import { run } from '../runner.ts'"],
    ['machine', "import { createHash } from 'node:crypto'"],
    ['machine', "import { createHash } from 'crypto'"],
    ['machine', "import { TokenStore } from '../store.ts'"],
    ['machine', "export * from '../clock.ts'"],
    ['machine', "export type Clock = import('../clock.ts').Clock"],
    ['machine', "const { run } = require('../runner.ts')"],
    ['machine', "void import('../runner.ts')"],
    ['machine', "import type { Request } from '../machine-room.ts'"],
    ['machine', 'const now = Date.now()'],
    ['machine', 'const when = new Date(5)'],
    ['machine', 'const clock = { Date }'],
    ['machine', 'const now = performance.now()'],
    ['machine', 'const jitter = Math.random()'],
    ['machine', "const jitter = Math['random']()"],
    ['machine', 'const { random } = Math'],
    ['machine', 'export const later: Promise<void> | undefined = undefined'],
    ['machine', 'Promise.resolve()'],
    ['machine', 'export async function step() {}'],
    ['machine', 'export const step = async () => 1'],
    ['machine', 'await step()'],
    ['machine', 'setTimeout(step, 5)'],
    ['machine', 'queueMicrotask(step)'],
    ['machine', 'const id = crypto.randomUUID()'],
    ['machine', 'if (process.env.DEBUG) step()'],
    ['machine', 'const now = globalThis.Date.now()'],
    ['undici', "import { request } from 'undici'"],
    ['direction', "import type { Ticket } from '../feishu/app-ticket.ts'"],
  ]
  it.each(machine)('%s in a file of the machine: %s', (rule, source) => {
    expect(violations('machine/transition.ts', source).map((each) => each.rule)).toContain(rule)
  })

  const elsewhere: ReadonlyArray<readonly [rule: Violation['rule'], source: string]> = [
    ['time and chance', 'const now = Date.now()'],
    ['time and chance', 'const now = new Date()'],
    ['time and chance', 'const now = new Date'],
    ['time and chance', 'const now = Date()'],
    ['time and chance', 'const now = +new globalThis.Date()'],
    ['time and chance', 'const { now } = Date'],
    ['time and chance', 'const clock = Date'],
    ['time and chance', 'const now = performance.now()'],
    ['time and chance', 'const now = globalThis.performance.now()'],
    ['time and chance', "import { performance } from 'node:perf_hooks'"],
    ['time and chance', 'const now = process.hrtime.bigint()'],
    ['time and chance', 'const jitter = Math.random()'],
    ['time and chance', 'const source = [Math]'],
    ['time and chance', "import { randomUUID } from 'node:crypto'"],
    ['time and chance', "import { randomUUID as id } from 'node:crypto'"],
    ['time and chance', 'const id = crypto.randomUUID()'],
    ['time and chance', 'setTimeout(run, 5)'],
    ['time and chance', 'globalThis.setTimeout(run, 5)'],
    ['time and chance', "globalThis['setTimeout'](run, 5)"],
    ['time and chance', 'setInterval(run, 5)'],
    ['time and chance', 'setImmediate(run)'],
    ['time and chance', "import { setTimeout as sleep } from 'node:timers/promises'"],
    ['time and chance', 'const signal = AbortSignal.timeout(5)'],
    ['undici', "import { Agent } from 'undici'"],
    ['undici', "import type { Dispatcher } from 'undici'"],
    ['undici', "export { Agent } from 'undici'"],
    ['undici', "type Dispatcher = import('undici').Dispatcher"],
    ['undici', "const { Agent } = await import('undici')"],
    ['direction', "import { createFeishuTokens } from './feishu/index.ts'"],
    ['direction', "export type { FeishuTokens } from './feishu/index.ts'"],
    ['direction', "import { createFeishuTokens } from '@tokenwell/core/feishu'"],
    ['direction', "const feishu = await import('./feishu/http.ts')"],
    ['direction', 'const feishu = await import(name)'],
  ]
  it.each(elsewhere)('%s in a file outside the machine: %s', (rule, source) => {
    expect(violations('runner.ts', source).map((each) => each.rule)).toContain(rule)
  })

  it('time in files of a folder that are merely named like the clock', () => {
    expect(violations('feishu/clock.ts', 'const now = Date.now()')).toHaveLength(1)
  })

  it('undici in every other file of feishu/', () => {
    expect(violations('feishu/index.ts', "import { Agent } from 'undici'").map((each) => each.rule)).toEqual(['undici'])
  })

  it('the line', () => {
    expect(violations('runner.ts', '\n\nsetTimeout(run)')).toMatchObject([{ file: 'runner.ts', line: 3 }])
  })
})

describe('the rules allow', () => {
  it.each([
    ["import { step } from './step.ts'", 'machine/transition.ts'],
    ["import { TokenError } from '../errors.ts'", 'machine/transition.ts'],
    ["import type { Claim } from '../store.ts'", 'machine/transition.ts'],
    ["import { type Claim, type Version } from '../store.ts'", 'machine/transition.ts'],
    ['const longest = Math.max(1, 2)', 'machine/transition.ts'],
    ['export interface Event { process: string; readonly Date: number }', 'machine/transition.ts'],
    ['const { crypto: sealed } = event', 'machine/transition.ts'],
    ['// Date.now() in a comment\nconst text = "setTimeout"', 'machine/transition.ts'],
    ["import { createHash, randomBytes } from 'node:crypto'", 'seal.ts'],
    ['export async function run(): Promise<void> { await step() }', 'runner.ts'],
    ['const text = new Date(expiresAt).toISOString()', 'events.ts'],
    ['const at = Date.parse(header)', 'feishu/replies.ts'],
    ['let timer: ReturnType<typeof setTimeout> | undefined', 'runner.ts'],
    ['clock.schedule(run, 5); queueMicrotask(run)', 'runner.ts'],
    ['AbortSignal.any([a, b])', 'runner.ts'],
    ['const now = Date.now(); setTimeout(run, 5); performance.now()', 'clock.ts'],
    ["import { randomUUID } from 'node:crypto'; Math.random()", 'random.ts'],
    ["import { request } from 'undici'", 'feishu/http.ts'],
    ["import { systemClock } from '../clock.ts'; import { http } from './http.ts'", 'feishu/index.ts'],
  ])('%s in %s', (source, file) => {
    expect(violations(file, source)).toEqual([])
  })
})
