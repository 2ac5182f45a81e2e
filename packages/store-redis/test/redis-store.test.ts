import { AssertionError } from 'node:assert'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { redisStore } from '@tokenwell/store-redis'
import { type RedisServer, startRedis } from '@tokenwell/test-servers'
import { Redis as Admin } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { randomSecret, record } from '../../../tools/leak-search/index.ts'
import { type ClientOptions, versions } from './support/ioredis.ts'
import { claim, patient, publication } from './support/operations.ts'
import { fieldsOf, moveDeadlines, setFields } from './support/records.ts'

const DAY_MS = 86_400_000
const README = readFileSync(join(import.meta.dirname, '../README.md'), 'utf8')

describe.each(versions)('over ioredis $ioredis', ({ connect }) => {
  let server: RedisServer
  let admin: Admin

  beforeAll(async () => {
    server = await startRedis()
    admin = new Admin(server.url)
  })

  beforeEach(async () => {
    await admin.flushall()
  })

  afterAll(async () => {
    admin.disconnect()
    await server.stop()
  })

  function client(options: ClientOptions = {}) {
    const client = connect(server.url, options)
    client.on('error', () => {})
    onTestFinished(() => client.disconnect())
    return client
  }

  test('what is written while a test passes time over the records is not lost', async () => {
    const store = redisStore({ client: client(), keyPrefix: 'passed' })
    let isPassing = true
    const passing = async () => {
      while (isPassing) await moveDeadlines(admin, 'passed', -1)
    }
    const passed = passing()
    try {
      for (let version = 1; version <= 300; version += 1) {
        await store.publish('key', `event ${version}`, version, publication, patient)
        expect(await store.read(['key'], patient)).toMatchObject([{ version }])
      }
    } finally {
      isPassing = false
      await passed
    }
  })

  const open = (options: ClientOptions = {}, keyPrefix = 'tokenwell') => redisStore({ client: client(options), keyPrefix })

  test('a client that was never connected connects', async () => {
    const snapshot = await open({ lazyConnect: true }).claim('key', 'a', claim, patient)
    expect(snapshot.kind).toBe('granted')
  })

  test('a client that was closed is named as the reason, at once', async () => {
    const closed = client()
    await closed.quit()
    const store = redisStore({ client: closed })
    await expect(store.read(['key'], patient)).rejects.toThrow(/^the Redis client is closed and will not connect again/)
    await expect(store.publish('key', 'a', 1, publication, patient)).rejects.toThrow(/give the store a client that stays open/)
  })

  test('stores of different prefixes never see each other', async () => {
    const [one, two] = [open({}, 'a'), open({}, 'a:b')]
    await one.publish('b:key', 'a', 5, publication, patient)
    const [snapshot] = await two.read(['key'], patient)
    expect(snapshot?.version).toBe(0)
    expect(await admin.keys('*')).toEqual(['{a:b%003akey}'])
  })

  test("the client's own prefix comes before the store's", async () => {
    await open({ keyPrefix: 'app:' }).publish('key', 'a', 5, publication, patient)
    expect(await admin.keys('*')).toEqual(['app:{tokenwell:key}'])
    const [snapshot] = await open().read(['key'], patient)
    expect(snapshot?.version).toBe(0)
  })

  test('scripts that the server has forgotten are sent again', async () => {
    const store = open()
    await store.claim('key', 'a', claim, patient)
    await admin.script('FLUSH')
    expect((await store.claim('key', 'b', claim, patient)).kind).toBe('held')
    await admin.script('FLUSH')
    const snapshots = await store.read(['key', 'other', 'third'], patient)
    expect(snapshots.map(({ lease }) => lease !== undefined)).toEqual([true, false, false])
  })

  test('with pipelines made by the client itself everything works the same', async () => {
    const store = open({ enableAutoPipelining: true })
    await admin.script('FLUSH')
    const claims = await Promise.all(['a', 'b', 'c'].map((attempt) => store.claim('key', attempt, claim, patient)))
    expect(claims.map(({ kind }) => kind).sort()).toEqual(['granted', 'held', 'held'])
    expect(await store.read(['key', 'other'], patient)).toHaveLength(2)
  })

  test('a server that lost everything grants fences above what its callers have seen, and takes what was fetched', async () => {
    const store = open()
    const before = await store.claim('key', 'a', claim, patient)
    if (before.kind !== 'granted') throw new AssertionError({ message: 'the first claim is granted' })
    await admin.flushall()
    const seen = before.fence + 3_600_000_000
    const after = await store.claim('key', 'b', { ...claim, seen }, patient)
    expect(after.kind === 'granted' && after.fence).toBe(seen + 1)
    expect((await store.publish('key', 'a', before.fence, publication, patient)).kind).toBe('accepted')
    expect((await store.publish('key', 'b', seen + 1, publication, patient)).kind).toBe('accepted')
  })

  test('a record is kept for 90 days after everything in it is over', async () => {
    const store = open()
    await store.invalidate('rejected', 5, patient)
    await store.claim('leased', 'a', claim, patient)
    await store.publish('published', 'a', Date.now() * 1000, publication, patient)
    await store.publish('ticket', 'a', Date.now() * 1000, { ...publication, expiresInMs: 3652 * DAY_MS }, patient)
    const days = async (key: string) => (await admin.pttl(`{tokenwell:${key}}`)) / DAY_MS
    expect(await days('rejected')).toBeCloseTo(90, 2)
    expect(await days('leased')).toBeCloseTo(90, 2)
    expect(await days('published')).toBeCloseTo(90 + 2 / 24, 2)
    expect(await days('ticket')).toBeCloseTo(90 + 3652, 2)
  })

  test('a record that needs a newer reader is refused, and stays as it is', async () => {
    const store = open()
    await store.publish('key', 'a', 5, publication, patient)
    await setFields(admin, '{tokenwell:key}', { format: 3, lowestFormat: 2 })
    const before = await admin.getBuffer('{tokenwell:key}')
    const refusal =
      /format 3, which takes a reader of format 2, and this version of @tokenwell\/store-redis reads format 1: update it on this node/
    await expect(store.read(['key'], patient)).rejects.toThrow(refusal)
    await expect(store.claim('key', 'b', claim, patient)).rejects.toThrow(refusal)
    await expect(store.publish('key', 'b', 6, publication, patient)).rejects.toThrow(refusal)
    await expect(store.settle('key', 'b', 6, { backoffMs: 0 }, patient)).rejects.toThrow(refusal)
    await expect(store.invalidate('key', 5, patient)).rejects.toThrow(refusal)
    expect(await admin.getBuffer('{tokenwell:key}')).toEqual(before)
  })

  test('a record that needs a newer reader is known for one whatever it holds', async () => {
    await admin.set('{tokenwell:key}', Buffer.from('tokenwell\x02\x02'))
    await expect(open().read(['key'], patient)).rejects.toThrow(/format 2, which takes a reader of format 2,/)
  })

  test('a newer record that this reader may read keeps its format and the fields only newer readers know', async () => {
    const store = open()
    await store.publish('key', 'a', 5, publication, patient)
    await setFields(admin, '{tokenwell:key}', { format: 2, lowestFormat: 1, unknown: 'kept \0' })
    expect((await store.publish('key', 'b', 6, publication, patient)).kind).toBe('accepted')
    expect(await fieldsOf(admin, '{tokenwell:key}')).toMatchObject({ format: 2, lowestFormat: 1, unknown: 'kept \0', version: 6 })
  })

  test('what is in a record is shown by the line in the README', async () => {
    const store = open()
    const version = Date.now() * 1000
    await store.publish('example', 'a', version, { ...publication, value: 'a token, ünïcode' }, patient)
    const { renewAt, expiresAt } = await fieldsOf(admin, '{tokenwell:example}')
    const published = [version, renewAt, 3_600_000_000, expiresAt, 7_200_000_000, 0, 0]
    const [, line = ''] = /^(redis-cli .*)$/m.exec(README) ?? []
    // As a shell hands it over, to a client that is here wherever a server is.
    const words = execFileSync('sh', ['-c', line.replace('redis-cli', String.raw`printf '%s\n'`)], { encoding: 'utf8' })
    const [command = '', ...args] = words.trimEnd().split('\n')
    const shown = await admin.call(command, ...args)
    expect(shown).toEqual([
      ...['tokenwell', 1, 1, version, 0, ...published, 0, 0, 0, 0, 0, 0, 0],
      ...['a', '', 'a token, ünïcode', '', '', (await admin.strlen('{tokenwell:example}')) + 1],
    ])
  })

  test.each([
    ['text', 'not a record'],
    ['a number', '5'],
    ['nothing', 'null'],
    ['a record of an earlier trial', '{"format":"1 1","fence":"5"}'],
    ['an empty text', ''],
    ['the beginning of a record', 'tokenwell\x01\x01'],
    ['less than its formats', 'tokenwell\x02'],
    ['a text that can be read as a record', `Tokenwell\x01\x01${'\0'.repeat(148)}`],
  ])('a key with %s of somebody else is refused, and stays as it is', async (_, text) => {
    const store = open()
    await admin.set('{tokenwell:key}', text)
    const refusal = /^TOKENWELL {tokenwell:key} was not written by @tokenwell\/store-redis: give the store a keyPrefix of its own/
    await expect(store.read(['key'], patient)).rejects.toThrow(refusal)
    await expect(store.claim('key', 'b', claim, patient)).rejects.toThrow(refusal)
    await expect(store.publish('key', 'b', 6, publication, patient)).rejects.toThrow(refusal)
    expect(await admin.get('{tokenwell:key}')).toBe(text)
  })

  test('where memory is short a write is refused and has changed nothing', async () => {
    const store = open()
    await store.publish('key', 'a', 5, publication, patient)
    const before = await admin.get('{tokenwell:key}')
    await admin.config('SET', 'maxmemory', '1')
    onTestFinished(() => admin.config('SET', 'maxmemory', '0').then(() => {}))
    await expect(store.claim('key', 'b', { ...claim, seen: 6 }, patient)).rejects.toThrow(/OOM/)
    await expect(store.publish('key', 'b', 6, publication, patient)).rejects.toThrow(/OOM/)
    expect(await admin.get('{tokenwell:key}')).toEqual(before)
    expect((await store.read(['key'], patient))[0]?.version).toBe(5)
  })

  test('a record that was cut short is refused, and stays as it is', async () => {
    const store = open()
    await store.publish('key', 'a', 5, publication, patient)
    const whole = (await admin.getBuffer('{tokenwell:key}')) ?? Buffer.alloc(0)
    for (let length = 0; length < whole.length; length++) {
      await admin.set('{tokenwell:key}', whole.subarray(0, length))
      await expect(store.claim('key', 'b', claim, patient)).rejects.toThrow(/^TOKENWELL {tokenwell:key} was not written by/)
      expect(await admin.strlen('{tokenwell:key}')).toBe(length)
    }
  })

  test('an attempt without a name is refused: nobody is the owner of nothing', async () => {
    const store = open()
    const refusal = 'attempt: expected at least one character'
    await expect(store.claim('key', '', claim, patient)).rejects.toThrow(refusal)
    await expect(store.publish('key', '', 5, publication, patient)).rejects.toThrow(refusal)
    await expect(store.settle('key', '', 5, { backoffMs: 0 }, patient)).rejects.toThrow(refusal)
  })

  test.each([
    ['one', ''],
    ['', 'one'],
  ])('an empty configuration is none: what failed under "%s" holds back "%s"', async (failed, other) => {
    const store = open()
    const claimed = await store.claim('key', 'a', { ...claim, config: failed }, patient)
    if (claimed.kind !== 'granted') throw new AssertionError({ message: 'the first claim is granted' })
    await store.settle('key', 'a', claimed.fence, { backoffMs: 60_000, config: failed }, patient)
    expect((await store.claim('key', 'b', { ...claim, config: other }, patient)).kind).toBe('backoff')
  })

  test('a value that would not come back as it is is refused', async () => {
    const store = open()
    await expect(store.publish('key', 'a', 5, { ...publication, value: 'half \ud800' }, patient)).rejects.toThrow(TypeError)
    expect((await store.read(['key'], patient))[0]?.version).toBe(0)
  })

  test('no error shows a value', async () => {
    const store = open()
    const value = randomSecret('a published value')
    await admin.set('{tokenwell:key}', 'somebody else')
    const refused = store.publish('key', 'a', 5, { ...publication, value }, patient)
    await expect(refused).rejects.toSatisfy((error) => record('error', error))
    await admin.del('{tokenwell:key}')
    await admin.hset('{tokenwell:key}', 'somebody', 'else')
    const failed = store.publish('key', 'a', 5, { ...publication, value }, patient)
    await expect(failed).rejects.toSatisfy((error) => record('error', error))
    await expect(failed).rejects.toThrow(/^TOKENWELL {tokenwell:key} was not written by/)
    const ended = client()
    ended.disconnect()
    const late = redisStore({ client: ended }).publish('key', 'a', 5, { ...publication, value }, patient)
    await expect(late).rejects.toSatisfy((error) => record('error', error))
  })

  test('a server that does not know the command is not quoted with its arguments', async () => {
    const stranger = await startRedis({ settings: { 'rename-command': ['EVALSHA', ''] } })
    onTestFinished(() => stranger.stop())
    const other = connect(stranger.url)
    onTestFinished(() => other.disconnect())
    await expect(redisStore({ client: other }).read(['a long key to be quoted'], patient)).rejects.toThrow(
      /unknown command '?`?EVALSHA'?`?$/i,
    )
  })
})

test('wrong options are named', () => {
  const given = (options: unknown) => () => redisStore(options as Parameters<typeof redisStore>[0])
  const usable = new Admin({ lazyConnect: true })
  expect(given({})).toThrow('client: expected an ioredis client, Redis or Cluster, got undefined')
  expect(given({ client: 'redis://localhost' })).toThrow('client: expected an ioredis client, Redis or Cluster, got string')
  expect(given({ client: usable, keyPrefix: '' })).toThrow(/^keyPrefix: expected 1 to 200 characters/)
  expect(given({ client: usable, keyPrefix: 7 })).toThrow(/^keyPrefix: expected 1 to 200 characters/)
  expect(given({ client: usable, keyPrefix: '\ud800' })).toThrow(TypeError)
  usable.disconnect()
})
