import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url))

/** The demo as `npm run demo -- <args>` starts it once everything is built. */
async function demo(...args: readonly string[]) {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, NODE_OPTIONS: '' } })
  onTestFinished(() => {
    child.kill()
  })
  let [output, errors] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text
  })
  const [code] = await once(child, 'close')
  return { code, output, errors }
}

test.each([
  ['a store nobody knows', ['--store', 'etcd'], "got 'etcd'"],
  ['an option nobody knows', ['--speed', '3'], '--speed'],
  ['a store without its name', ['--store'], '--store'],
  ['a word too many', ['redis'], 'redis'],
  ['a server for a store that has none', ['--url', 'redis://127.0.0.1'], '--url: only with'],
  ['a server of another kind', ['--store', 'postgres', '--url', 'redis://127.0.0.1'], '--url: expected one that begins with postgres://'],
])('%s prints the usage and exits with 2', async (_name, args, message) => {
  const { code, output, errors } = await demo(...args)
  expect(code).toBe(2)
  expect(output).toBe('')
  expect(errors).toContain(message)
  expect(errors).toContain('usage: npm run demo')
})

test('the password in a wrong URL is not repeated', async () => {
  const { code, errors } = await demo('--store', 'redis', '--url', 'http://user:pass-word@127.0.0.1')
  expect(code).toBe(2)
  expect(errors).not.toContain('pass-word')
})

test('one process over the memory store does what the table says', async () => {
  const { code, output, errors } = await demo('--store', 'memory')
  expect({ code, errors }).toEqual({ code: 0, errors: '' })
  expect(output).toContain('All as it should be')
}, 60_000)

test('four processes over a file do what the table says', async () => {
  const { code, output } = await demo()
  expect(output).toContain('All as it should be')
  expect(code).toBe(0)
}, 120_000)

test('four processes over Redis do, and each stage says who asked and who was woken', async () => {
  const { code, output } = await demo('--store', 'redis')
  expect(output).toContain('All as it should be')
  expect(output).toMatch(/cold: .*node \d +\d+ ms +node \d \d+ ms · node \d \d+ ms · node \d \d+ ms/)
  expect(code).toBe(0)
}, 120_000)

test('a server that does not answer fails the demo', async () => {
  const { code, output, errors } = await demo('--store', 'redis', '--url', 'redis://user:pass-word@127.0.0.1:1')
  expect(code).toBe(1)
  expect(errors).toContain('FAILED')
  expect(output + errors).not.toContain('pass-word')
}, 60_000)
