import { expect, test } from 'vitest'
import { run } from '../run.ts'

const PATIENCE_MS = 30_000
const node = (script: string, patienceMs: number, signal: AbortSignal) =>
  run(process.execPath, ['-e', script], { cwd: process.cwd(), patienceMs, signal })

/** Starts a program that never ends and has the same output: as long as either runs, nobody is told that the first has ended. */
const LINGERING = `
require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' })
setInterval(() => {}, 1000)
`

test('a program that ends by itself is told with its exit code and what it printed', async () => {
  const ended = await node("console.log('said'); process.exitCode = 3", PATIENCE_MS, new AbortController().signal)
  expect(ended).toEqual({ code: 3, output: 'said\n' })
})

test('a program that takes too long is ended, with what it has started', async () => {
  const { code } = await node(LINGERING, 2_000, new AbortController().signal)
  expect(code).toBeUndefined()
})

test('a program that is not wanted any more is ended, and the reason told', async () => {
  const controller = new AbortController()
  const running = node(LINGERING, PATIENCE_MS, controller.signal)
  controller.abort(new Error('interrupted'))
  await expect(running).rejects.toThrow('interrupted')
  await expect(node(LINGERING, PATIENCE_MS, controller.signal)).rejects.toThrow('interrupted')
})
