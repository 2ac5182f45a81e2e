import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import ts from 'typescript'
import { expect, test } from 'vitest'
import { UPSTREAM_CODES } from '../../packages/core/src/feishu/upstream-codes.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8')

/** The declaration of a type or of a function, by its name. */
function declaration(file: string, name: string): ts.InterfaceDeclaration | ts.TypeAliasDeclaration | ts.FunctionDeclaration {
  const { statements } = ts.createSourceFile(file, read(file), ts.ScriptTarget.Latest, true)
  const found = statements
    .filter(
      (statement) => ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement) || ts.isFunctionDeclaration(statement),
    )
    .find((statement) => statement.name?.text === name)
  if (found === undefined) throw new Error(`${file} declares no ${name}`)
  return found
}

/** The members of an interface, or those that a function writes down of its first argument. */
function members(file: string, name: string): string[] {
  const found = declaration(file, name)
  const type = ts.isFunctionDeclaration(found) ? found.parameters[0]?.type : found
  if (type === undefined || !(ts.isInterfaceDeclaration(type) || ts.isTypeLiteralNode(type))) return []
  return type.members.map((member) => member.name?.getText() ?? '')
}

/** The texts of a union, as they stand in it or as `type` of its alternatives. */
function alternatives(file: string, name: string): string[] {
  return [
    ...declaration(file, name)
      .getText()
      .matchAll(/(?:\| |readonly type: )'([\w-]+)'/g),
  ].map(([, text = '']) => text)
}

/** The text below a heading, to the next one that is no lower. */
function section(page: string, heading: string): string {
  const [, level = ''] = new RegExp(`^(#+) ${heading}$`, 'm').exec(page) ?? []
  if (level === '') throw new Error(`no heading "${heading}"`)
  const text = page.slice(page.indexOf(`\n${level} ${heading}\n`) + level.length + heading.length + 2)
  const [own = ''] = text.split(new RegExp(`^#{1,${level.length}} `, 'm'))
  return own
}

const CORE = 'packages/core/src'
const SIMULATOR = 'packages/feishu-simulator/src'

test.each([
  ['createFeishuTokens', `${CORE}/feishu/feishu-tokens.ts`, 'FeishuTokensOptions'],
  ['createTokenManager', `${CORE}/token-manager.ts`, 'TokenManagerOptions'],
  ['createTokenManager', `${CORE}/seal/keyring.ts`, 'EncryptionOptions'],
  ['manager.token', `${CORE}/token-manager.ts`, 'TokenOptions'],
  ['policy', `${CORE}/machine/policy.ts`, 'Policy'],
  ['Handles', `${CORE}/token-handle.ts`, 'GetOptions'],
  ['Handles', `${CORE}/token-handle.ts`, 'UseOptions'],
  ['Handles', `${CORE}/token-manager.ts`, 'CloseOptions'],
  ['Handles', `${CORE}/feishu/warm.ts`, 'WarmOptions'],
  ['Handles', `${CORE}/feishu/users.ts`, 'AuthorizeInput'],
  ['Handles', `${CORE}/feishu/users.ts`, 'ExpiringOptions'],
  ['Handles', `${CORE}/feishu/feishu-tokens.ts`, 'AppTicketInput'],
  ['ready', `${CORE}/feishu/feishu-tokens.ts`, 'ReadyOptions'],
  ['listen', `${CORE}/events.ts`, 'Listener'],
  ['signJsapi', `${CORE}/feishu/jsapi-signature.ts`, 'JsapiSignatureInput'],
  ['Event handlers', `${CORE}/feishu/event-handlers.ts`, 'EventHandlerOptions'],
  ['HTTP clients', `${CORE}/feishu/clients/auth.ts`, 'FeishuAuthOptions'],
  ['HTTP clients', `${CORE}/feishu/clients/auth-fetch.ts`, 'FeishuFetchOptions'],
  ['memoryStore', 'packages/store-memory/src/memory-store.ts', 'MemoryStoreOptions'],
  ['sqliteStore', 'packages/store-sqlite/src/sqlite-store.ts', 'SqliteStoreOptions'],
  ['redisStore', 'packages/store-redis/src/redis-store.ts', 'RedisStoreOptions'],
  ['postgresStore', 'packages/store-postgres/src/postgres-store.ts', 'PostgresStoreOptions'],
  ['migrationSql', 'packages/store-postgres/src/migrations.ts', 'migrationSql'],
  ['larkCache', 'packages/lark-sdk/src/lark-cache.ts', 'LarkCacheOptions'],
  ['observe', 'packages/otel/src/observe.ts', 'ObserveOptions'],
  ['fakeFeishuTokens', 'packages/testkit/src/feishu/fake-feishu-tokens.ts', 'FakeFeishuTokensOptions'],
  ['startFeishuSimulator', `${SIMULATOR}/options.ts`, 'FeishuSimulatorOptions'],
  ['SimulatedApp', `${SIMULATOR}/options.ts`, 'SimulatedApp'],
  ['behaviour', `${SIMULATOR}/behaviour.ts`, 'Behaviour'],
  ['quotas', `${SIMULATOR}/quotas.ts`, 'Quota'],
])('the options under "%s" are those of %s: %s', (heading, file, type) => {
  const listed = section(read('docs/OPTIONS.md'), heading)
  const options = members(file, type)
  expect(options.length).toBeGreaterThan(0)
  expect(options.filter((option) => !new RegExp(`^\\|[^|]*(\\|[^|]*)?\`${option}\``, 'm').test(listed))).toEqual([])
})

test('every error code has its row', () => {
  const page = read('docs/ERRORS.md')
  const codes = alternatives(`${CORE}/errors.ts`, 'TokenErrorCode')
  expect(codes.length).toBeGreaterThan(15)
  expect(codes.filter((code) => !page.includes(`\n| \`${code}\` |`))).toEqual([])
})

test('every code of the platform stands in the row of the error that it becomes', () => {
  const rows = section(read('docs/ERRORS.md'), 'Codes of the platform').split('\n')
  const wrong = [...UPSTREAM_CODES].filter(([upstream, { code }]) => {
    const row = rows.find((each) => each.split('|')[1]?.match(/\d+/g)?.includes(`${upstream}`))
    return row?.split('|')[2]?.trim() !== `\`${code}\``
  })
  expect(wrong.map(([upstream]) => upstream)).toEqual([])
})

test('every row of a code of the platform links to the document that says it', () => {
  const page = read('docs/ERRORS.md')
  const rows = section(page, 'Codes of the platform')
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .slice(1)
  const documents = [...page.matchAll(/^\[(.+)\]: https:\/\/open\.feishu\.cn\/document\/\S+$/gm)].map(([, name]) => name)
  expect(rows.length).toBeGreaterThan(10)
  const linked = (row: string) => [...(row.split('|')[5] ?? '').matchAll(/\[(.+?)\]/g)].map(([, name]) => name)
  expect(rows.filter((row) => linked(row).length === 0 || linked(row).some((name) => !documents.includes(name)))).toEqual([])
})

test('every event has its row', () => {
  const rows = section(read('docs/RUNBOOK.md'), 'Events')
  const events = [
    ...alternatives(`${CORE}/machine/happenings.ts`, 'Notice'),
    ...alternatives(`${CORE}/events.ts`, 'EndNotice'),
    ...alternatives(`${CORE}/events.ts`, 'TicketNotice'),
    'record-unreadable',
  ]
  expect(events.length).toBeGreaterThan(15)
  expect(events.filter((event) => !rows.includes(`\n| \`${event}\` |`))).toEqual([])
})

test('every state has its row', () => {
  const rows = section(read('docs/HOW-IT-WORKS.md'), 'States of a key')
  const states = [
    ...declaration(`${CORE}/machine/state.ts`, 'Activity')
      .getText()
      .matchAll(/kind: '(\w+)'/g),
  ].map(([, kind]) => kind)
  expect(states.length).toBeGreaterThan(8)
  expect(states.filter((state) => !rows.includes(`\n| \`${state}\` |`))).toEqual([])
})
