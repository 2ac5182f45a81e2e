import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { record, secret } from '../../../tools/leak-search/index.ts'
import { callbackUrl } from './support/callback.ts'
import { type Child, program, script } from './support/child.ts'

const LISTENS = /listens on (http:\/\/127\.0\.0\.1:\d+)\n/
const LAST_OF_GREETING = /ENCRYPT_KEY=.*\n/

/** A port where something listens until the test ends. */
async function takenPort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => new Promise<void>((resolve) => server.close(() => resolve())))
  return (server.address() as AddressInfo).port
}

/** A port where nothing listens. */
async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise<void>((resolve) => server.close(() => resolve()))
  return port
}

/** A service made of nothing but what the simulator prints, and a line for the token it got. */
async function serviceFrom(simulator: Child): Promise<Child> {
  await simulator.printed(LAST_OF_GREETING)
  const printed = / {2}import [\s\S]*?(?=\n\n {2}APP_ID=)/.exec(simulator.output)?.[0] ?? ''
  return script(`${printed}\nconsole.log('token=' + token)`)
}

test.each(['SIGINT', 'SIGTERM'] as const)(
  'what it prints is all that a service with the built core needs, whichever of the two is started first; %s ends it',
  async (signal) => {
    const port = await freePort()
    const simulator = program('--port', '0', '--push', `http://localhost:${port}/events`, '--tenant', "o'neill & sons")
    // Nobody is there yet.
    await simulator.printed(/app_ticket pushed: not taken, no reply .*ECONNREFUSED/)
    const service = await serviceFrom(simulator)
    const [, token = ''] = await service.printed(/token=(t-\w+)\n/)
    await simulator.printed(/app_ticket pushed: taken\n/)
    await simulator.printed(/POST tenant_access_token: HTTP 200, code 0, new token\n/)
    simulator.signal(signal)
    expect(await simulator.exitCode()).toBe(0)

    secret(token, 'a token of the simulator')
    record('log', simulator.output)
    const [, log = ''] = simulator.output.split(LAST_OF_GREETING)
    expect(log).not.toMatch(/simulated-|neill/)
    for (const line of log.trim().split('\n')) expect(line).toMatch(/^\d\d:\d\d:\d\d (POST|app_ticket) /)
  },
)

test('it prints the same as environment variables', async () => {
  const simulator = program('--port', '0', '--push', `http://127.0.0.1:${await freePort()}`)
  const [, url] = await simulator.printed(LISTENS)
  await simulator.printed(LAST_OF_GREETING)
  const variables = [...simulator.output.matchAll(/^ {2}([A-Z_]+)=(.*)$/gm)].map(([, name = '', value]) => [name, value])
  expect(Object.fromEntries(variables)).toEqual({
    APP_ID: 'cli_simulated',
    APP_SECRET: 'simulated-app-secret',
    DOMAIN: url,
    VERIFICATION_TOKEN: 'simulated-verification-token',
    ENCRYPT_KEY: 'simulated-encrypt-key',
  })
})

test('--custom plays a custom app, which needs no ticket', async () => {
  const simulator = program('--port', '0', '--custom')
  await simulator.printed(/DOMAIN=.*\n/)
  const printed = / {2}import [\s\S]*?(?=\n\n {2}APP_ID=)/.exec(simulator.output)?.[0] ?? ''
  const service = await script(`${printed}\nconsole.log('token=' + token)`)
  const [, token = ''] = await service.printed(/token=(t-\w+)\n/)
  secret(token, 'a token of the simulator')
  await simulator.printed(/POST \w+_internal: HTTP 200, code 0, new token\n/)
  expect(simulator.output).not.toContain('app_ticket')
})

test('--host 0.0.0.0 listens on every address, and prints one that a client on this machine can use', async () => {
  const simulator = program('--port', '0', '--host', '0.0.0.0', '--push', `http://127.0.0.1:${await freePort()}`)
  const [, port] = await simulator.printed(/listens on http:\/\/0\.0\.0\.0:(\d+)\n/)
  await simulator.printed(LAST_OF_GREETING)
  expect(simulator.output).toContain(`DOMAIN=http://localhost:${port}\n`)
  expect((await fetch(`http://127.0.0.2:${port}/`)).status).toBe(404)
})

test('an address that this machine does not have is named, with what to do', async () => {
  const simulator = program('--port', '0', '--host', '192.0.2.1')
  expect(await simulator.exitCode()).toBe(1)
  expect(simulator.output).toBe('this machine has no address 192.0.2.1: choose another with --host, such as 127.0.0.1\n')
})

test('a callback that does not take its events is tried again and again, and reported once', async () => {
  let refusals = 3
  const callback = await callbackUrl((response) => response.writeHead(refusals-- > 0 ? 500 : 200).end('{}'))
  const simulator = program('--port', '0', '--push', callback.url)
  await simulator.printed(/pushed: taken\n/)
  expect(callback.received).toHaveLength(4)
  expect(simulator.output.match(/pushed: .*\n/g)).toEqual([
    'pushed: not taken, HTTP 500. Trying every 2 s until it is\n',
    'pushed: taken\n',
  ])
})

test('a new ticket comes with every interval', async () => {
  const callback = await callbackUrl()
  const simulator = program('--port', '0', '--push', callback.url, '--interval', '1')
  await simulator.printed(/(pushed: taken\n[\s\S]*){3}/)
  expect(new Set(callback.received.map(({ text }) => text)).size).toBeGreaterThanOrEqual(3)
})

test('requests for any path are reported in a line each', async () => {
  const simulator = program('--port', '0', '--push', `http://127.0.0.1:${await freePort()}`)
  const [, url] = await simulator.printed(LISTENS)
  await fetch(`${url}/open-apis/contact/v3/scopes?page_token=p`, { headers: { authorization: 'Bearer made-up' } })
  await simulator.printed(/ GET \/open-apis\/contact\/v3\/scopes: HTTP 400, code 99991671\n/)
})

test('a port that is taken is named, with what to do', async () => {
  const port = await takenPort()
  const simulator = program('--port', String(port))
  expect(await simulator.exitCode()).toBe(1)
  expect(simulator.output).toBe(`port ${port} is taken: choose another with --port, or let the machine choose with --port 0\n`)
})

test.each([
  [['--prot', '1'], "Unknown option '--prot'"],
  [['--port', 'x'], "--port: expected a whole number from 0 to 65535, got 'x'"],
  [['--port', '65536'], '--port: expected'],
  [['--port'], '--port'],
  [['--interval', '0'], "--interval: expected a whole number from 1 to 604800, got '0'"],
  [['--push', 'localhost:3000'], "--push: expected an http or https URL, got 'localhost:3000'"],
  [['--tenant', ''], '--tenant: expected 1 to 64 characters, got 0'],
  [['--host', 'here'], "--host: expected an IP address, such as 0.0.0.0, got 'here'"],
  [['--custom', '--tenant', 'a'], '--tenant: a custom app has one tenant and is pushed no tickets'],
  [['start'], "Unexpected argument 'start'"],
])('%j are refused with what is wrong and how it is used', async (args, complaint) => {
  const simulator = program(...args)
  expect(await simulator.exitCode()).toBe(2)
  expect(simulator.output).toContain(complaint)
  expect(simulator.output).toContain('Usage: npx @tokenwell/feishu-simulator')
})

test('--help prints how it is used', async () => {
  const simulator = program('--help')
  expect(await simulator.exitCode()).toBe(0)
  expect(simulator.output).toMatch(/^Usage: npx @tokenwell\/feishu-simulator \[options\]/)
})
