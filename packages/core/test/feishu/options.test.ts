import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { createTokenManager, type TokenStore } from '@tokenwell/core'
import { createFeishuTokens, type FeishuTokensOptions } from '@tokenwell/core/feishu'
import { startFeishuSimulator } from '@tokenwell/feishu-simulator'
import { memoryStore } from '@tokenwell/store-memory'
import { Agent } from 'undici'
import { describe, expect, onTestFinished, test } from 'vitest'
import { errorOf, randomSecret, record, secret } from '../../../../tools/leak-search/index.ts'
import { createWorld, MINT, MINUTE, pass } from '../support/world.ts'

const APP_SECRET = randomSecret('app secret')
const VERIFICATION_TOKEN = randomSecret('verification token')
const ENCRYPT_KEY = randomSecret('encrypt key')
const PASSWORD = randomSecret('proxy password')

function valid(): FeishuTokensOptions {
  return {
    appId: 'cli_options',
    appSecret: APP_SECRET,
    store: memoryStore(),
    events: { verificationToken: VERIFICATION_TOKEN, encryptKey: ENCRYPT_KEY },
  }
}

/** What createFeishuTokens throws for these options, recorded for the leak search. */
function refusal(change: object): TypeError {
  try {
    void createFeishuTokens({ ...valid(), ...change } as FeishuTokensOptions)
  } catch (error) {
    record('error', error)
    if (error instanceof TypeError) return error
    throw error
  }
  throw new Error('expected a TypeError')
}

const without = (...names: readonly (keyof TokenStore)[]): object =>
  Object.fromEntries(Object.entries(memoryStore()).filter(([name]) => !names.some((each) => each === name)))

const WRONG: ReadonlyArray<readonly [path: string, what: string, change: object]> = [
  ['appId', 'missing', { appId: undefined }],
  ['appId', 'empty', { appId: '' }],
  ['appId', 'a number', { appId: 7 }],
  ['appId', 'too long', { appId: APP_SECRET.repeat(10) }],
  ['appSecret', 'missing', { appSecret: undefined }],
  ['appSecret', 'empty', { appSecret: '' }],
  ['appSecret', 'null', { appSecret: null }],
  ['appSecret', 'too long', { appSecret: APP_SECRET.repeat(10) }],
  ['appSecret', 'a list', { appSecret: [APP_SECRET] }],
  ['appType', 'of a kind there is not', { appType: 'isv' }],
  ['appType', 'a secret in the wrong place', { appType: APP_SECRET }],
  ['appType', 'null', { appType: null }],
  ['domain', 'a word', { domain: 'fieshu' }],
  ['domain', 'a host without a scheme', { domain: 'open.feishu.cn' }],
  ['domain', 'another scheme', { domain: 'ftp://open.feishu.cn' }],
  ['domain', 'http for another machine', { domain: 'http://open.feishu.cn' }],
  ['domain', 'one with a password', { domain: `https://user:${PASSWORD}@open.feishu.cn` }],
  ['domain', 'one with a query', { domain: `https://open.feishu.cn/?key=${PASSWORD}` }],
  ['domain', 'an object', { domain: new URL('https://open.feishu.cn') }],
  ['domain', 'null', { domain: null }],
  ['store', 'missing', { store: undefined }],
  ['store', 'null', { store: null }],
  ['store', 'a client', { store: { get() {}, set() {} } }],
  ['store', 'one without claim', { store: without('claim') }],
  ['store', 'one of another contract', { store: { ...memoryStore(), contractVersion: 2 } }],
  ['manager', 'an object', { store: undefined, manager: {} }],
  ['manager', 'null', { store: undefined, manager: null }],
  ['manager', 'a look-alike', { store: undefined, manager: { token() {}, status() {}, close() {} } }],
  ['events', 'null', { events: null }],
  ['events', 'a string', { events: VERIFICATION_TOKEN }],
  ['events', 'one with an unknown option', { events: { verificationToken: VERIFICATION_TOKEN, key: ENCRYPT_KEY } }],
  ['events.verificationToken', 'missing', { events: { encryptKey: ENCRYPT_KEY } }],
  ['events.verificationToken', 'empty', { events: { verificationToken: '' } }],
  ['events.verificationToken', 'a number', { events: { verificationToken: 7 } }],
  ['events.verificationToken', 'an empty list', { events: { verificationToken: [] } }],
  ['events.verificationToken', 'a list with an empty one', { events: { verificationToken: [VERIFICATION_TOKEN, ''] } }],
  ['events.verificationToken', 'a list with a hole', { events: { verificationToken: [VERIFICATION_TOKEN, undefined] } }],
  ['events.encryptKey', 'empty', { events: { verificationToken: VERIFICATION_TOKEN, encryptKey: '' } }],
  ['events.encryptKey', 'null', { events: { verificationToken: VERIFICATION_TOKEN, encryptKey: null } }],
  ['events.encryptKey', 'an empty list', { events: { verificationToken: VERIFICATION_TOKEN, encryptKey: [] } }],
  ['events.encryptKey', 'too long', { events: { verificationToken: VERIFICATION_TOKEN, encryptKey: ENCRYPT_KEY.repeat(10) } }],
  ['http', 'null', { http: null }],
  ['http', 'a dispatcher itself', { http: new Agent() }],
  ['http', 'one with an unknown option', { http: { proxy: `http://user:${PASSWORD}@proxy` } }],
  ['http.dispatcher', 'the URL of a proxy', { http: { dispatcher: `http://user:${PASSWORD}@proxy` } }],
  ['http.dispatcher', 'an object', { http: { dispatcher: {} } }],
  ['http.dispatcher', 'null', { http: { dispatcher: null } }],
]

test.each(['store', 'custom'] as const)('the tokens of a %s app say whose they are', (appType) => {
  const tokens = createFeishuTokens({ ...valid(), appType })
  onTestFinished(() => tokens.close())
  expect(tokens).toMatchObject({ appId: 'cli_options', appType })
})

describe('createFeishuTokens', () => {
  test.each(WRONG)('names %s when it is %s, and quotes no secret', (path, _, change) => {
    const { message } = refusal(change)
    expect(message).toMatch(new RegExp(`(^|[^.\\w])${path.replace('.', '\\.')}\\b`))
    for (const each of [APP_SECRET, VERIFICATION_TOKEN, ENCRYPT_KEY, PASSWORD]) expect(message).not.toContain(each)
    expect(message.length).toBeLessThan(400)
  })

  test.each([undefined, null, 7, 'cli_options', []])('refuses %j in place of options', (options) => {
    expect(() => createFeishuTokens(options as never)).toThrow(TypeError)
  })

  test('refuses an option it does not have, and says which it takes', () => {
    const { message } = refusal({ appKey: APP_SECRET })
    expect(message).toContain('"appKey"')
    for (const name of ['appId', 'appSecret', 'store', 'manager', 'appType', 'domain', 'events', 'http']) expect(message).toContain(name)
  })

  test('refuses a store together with a manager', async () => {
    const manager = createTokenManager({ store: memoryStore() })
    const { message } = refusal({ manager })
    expect(message).toContain('store')
    expect(message).toContain('manager')
    await manager.close()
  })

  test('takes everything it says it takes', async () => {
    const secrets = { verificationToken: [VERIFICATION_TOKEN, 'another'], encryptKey: [ENCRYPT_KEY, 'another'] }
    const dispatcher = new Agent()
    for (const change of [
      {},
      { appType: 'store' },
      { domain: 'lark' },
      { domain: 'https://proxy.example/feishu/' },
      { domain: 'http://localhost:3000' },
      { events: undefined, http: undefined, domain: undefined, appType: undefined, manager: undefined },
      { events: secrets },
      { http: {} },
      { http: { dispatcher } },
    ] as const) {
      await createFeishuTokens({ ...valid(), ...change } as FeishuTokensOptions).close()
    }
    await dispatcher.close()
  })

  test('leaves nothing running after a refusal', async () => {
    const before = process.getActiveResourcesInfo().length
    for (const [, , change] of WRONG) refusal(change)
    expect(process.getActiveResourcesInfo().length).toBe(before)
  })
})

describe('a corrected secret', () => {
  test('is not held back by the failure of the wrong one, on the same store', async () => {
    const world = await createWorld()
    const wrong = world.node({ tokens: { appSecret: 'a-secret-that-is-wrong' } })
    expect(await errorOf(wrong.tokens.appAccessToken())).toMatchObject({ code: 'CONFIGURATION_REJECTED' })
    await wrong.manager.close()
    expect(world.simulator.judge(await world.node().tokens.appAccessToken())).toBe('valid')
    expect([world.mints(), world.clock.monotonic()]).toEqual([2, 0])
  })

  test('serves the nodes that still have the wrong one, too', async () => {
    const world = await createWorld()
    const wrong = world.node({ tokens: { appSecret: 'a-secret-that-is-wrong' } })
    expect(await errorOf(wrong.tokens.appAccessToken())).toMatchObject({ code: 'CONFIGURATION_REJECTED' })
    const value = await world.node().tokens.appAccessToken()
    await pass(world.clock, 6 * MINUTE)
    expect(await wrong.tokens.appAccessToken()).toBe(value)
    expect(world.mints()).toBe(2)
  })

  test('and the wrong one do not undo each other while a deployment is under way', async () => {
    const world = await createWorld()
    const wrong = world.node({ tokens: { appSecret: 'a-secret-that-is-wrong' } })
    const right = world.node()
    const error = errorOf(wrong.tokens.appAccessToken())
    const value = right.tokens.appAccessToken()
    await pass(world.clock, 10_000)
    await error.catch(() => {})
    expect(world.simulator.judge(await value)).toBe('valid')
    expect(world.simulator.counters().errors['10014'] ?? 0).toBeLessThanOrEqual(1)
  })
})

test('two apps and two domains on one store never see each other’s tickets, tokens or failures', async () => {
  const world = await createWorld()
  const [secondSecret, otherSecret] = [randomSecret('second app secret'), randomSecret('other app secret')]
  const events = { verificationToken: world.verificationToken, encryptKey: world.encryptKey }
  const other = await startFeishuSimulator({
    apps: [
      { appId: world.appId, appSecret: secondSecret, ...events },
      { appId: 'cli_world_2', appSecret: otherSecret, ...events },
    ],
    clock: { wall: () => world.clock.wall(), schedule: (run, ms) => world.clock.schedule(run, ms) },
    pushTickets: 'manual',
  })
  onTestFinished(() => other.close())
  const first = world.node()
  const elsewhere = world.node({ tokens: { domain: other.url, appSecret: secondSecret } })
  const another = world.node({ tokens: { domain: other.url, appId: 'cli_world_2', appSecret: otherSecret } })
  const value = await first.tokens.appAccessToken()

  for (const { tokens } of [elsewhere, another]) {
    const error = errorOf(tokens.app.get({ timeoutMs: 100 }))
    await pass(world.clock, 100)
    expect(await error).toMatchObject({ code: 'TICKET_UNAVAILABLE' })
  }
  const eventTime = new Date(world.clock.wall())
  await elsewhere.tokens.acceptAppTicket({ ticket: secret(other.issueTicket(world.appId)), eventTime, id: 'same' })
  await another.tokens.acceptAppTicket({ ticket: secret(other.issueTicket('cli_world_2')), eventTime, id: 'same' })
  const values = [value, await elsewhere.tokens.appAccessToken(), await another.tokens.appAccessToken()]
  expect(new Set(values).size).toBe(3)
  expect(values.map((each) => [world.simulator.judge(each), other.judge(each)])).toEqual([
    ['valid', 'unknown'],
    ['unknown', 'valid'],
    ['unknown', 'valid'],
  ])
  expect(new Set([first, elsewhere, another].map(({ tokens }) => tokens.app.key)).size).toBe(3)

  other.revoke('cli_world_2', { next: 'new' })
  await another.tokens.app.reject(await another.tokens.app.get())
  await another.tokens.appAccessToken()
  expect(await first.tokens.appAccessToken()).toBe(value)
  expect(await elsewhere.tokens.appAccessToken()).toBe(values[1])
  expect([world.mints(), other.counters(world.appId).requests[MINT], other.counters('cli_world_2').requests[MINT]]).toEqual([1, 1, 2])
})

test('apps that share a manager each show their own status, and their secrets stay apart', async () => {
  const world = await createWorld()
  const { tokens, manager } = world.node()
  const other = createFeishuTokens({ appId: 'cli_world_2', appSecret: APP_SECRET, manager, domain: world.simulator.url })
  await tokens.appAccessToken()
  expect(await errorOf(other.app.get({ timeoutMs: 100 }))).toMatchObject({ code: 'CONFIGURATION_REJECTED' })
  expect(tokens.status().map(({ key }) => key)).toEqual([tokens.app.key])
  expect(other.status().map(({ key }) => key)).toEqual([other.app.key])
  await other.close()
  expect(await errorOf(other.appAccessToken())).toMatchObject({ code: 'CLOSED' })
  expect(world.simulator.judge(await tokens.appAccessToken())).toBe('valid')
})

test('a path below a host whose name begins like it is another domain', async () => {
  const store = memoryStore()
  const keys = ['https://example.com/a', 'https://example.com/a/b', 'https://example.com', 'http://localhost', 'https://localhost'].map(
    (domain) => {
      const tokens = createFeishuTokens({ ...valid(), store, domain })
      onTestFinished(() => tokens.close())
      return tokens.app.key
    },
  )
  expect(new Set(keys).size).toBe(keys.length)
})

test('@tokenwell/core by itself loads nothing of feishu and no undici', async () => {
  const loaded = await modulesOf('../../src/index.ts')
  expect(loaded.filter((url) => /undici|\/feishu\//.test(url))).toEqual([])
  expect(loaded.some((url) => url.endsWith('/token-manager.ts'))).toBe(true)
  // The search would find it.
  expect((await modulesOf('../../src/feishu/index.ts')).some((url) => url.includes('undici'))).toBe(true)
})

/** Every module that is resolved when one is imported in a process of its own. */
async function modulesOf(path: string): Promise<string[]> {
  const url = new URL(path, import.meta.url).href
  const program = `
    import { registerHooks } from 'node:module'
    const seen = []
    registerHooks({ resolve(name, context, next) { const found = next(name, context); seen.push(found.url); return found } })
    await import(${JSON.stringify(url)})
    process.stdout.write(JSON.stringify([...seen, ...process.moduleLoadList]))`
  const cwd = fileURLToPath(new URL('.', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], { cwd })
  return JSON.parse(stdout) as string[]
}

test('importing does nothing but define: no timer, no handle, no output', async () => {
  const urls = ['../../src/index.ts', '../../src/feishu/index.ts'].map((path) => new URL(path, import.meta.url).href)
  const program = `${urls.map((url) => `await import(${JSON.stringify(url)})`).join('\n')}
    process.stdout.write(JSON.stringify(process.getActiveResourcesInfo().filter((name) => !/Pipe|TTY|FS/.test(name))))`
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ['--no-warnings', '--input-type=module', '-e', program])
  expect([stdout, stderr]).toEqual(['[]', ''])
})

test('a process that holds open tokens but waits for none ends by itself', async () => {
  const core = new URL('../../src/feishu/index.ts', import.meta.url).href
  const memory = new URL('../../../store-memory/src/index.ts', import.meta.url).href
  const program = `
    const { createFeishuTokens } = await import(${JSON.stringify(core)})
    const { memoryStore } = await import(${JSON.stringify(memory)})
    const tokens = createFeishuTokens({ appId: 'cli_x', appSecret: 'a-secret', store: memoryStore(), domain: 'http://127.0.0.1:1' })
    await tokens.acceptAppTicket({ ticket: 'a-ticket', eventTime: new Date() })
    await tokens.app.get({ timeoutMs: 10 }).catch(() => process.stdout.write('failed'))`
  const { stdout } = await promisify(execFile)(process.execPath, ['--no-warnings', '--input-type=module', '-e', program], {
    timeout: 50_000,
  })
  expect(stdout).toBe('failed')
})
