import { randomBytes } from 'node:crypto'
import { createTokenManager, type EncryptionOptions, type TokenEvent, type TokenManager } from '@tokenwell/core'
import { memoryStore } from '@tokenwell/store-memory'
import { describeTokenStore, type VirtualClock, virtualClock } from '@tokenwell/testkit'
import { describe, expect, onTestFinished, test } from 'vitest'
import { errorOf, randomSecret, record } from '../../../../tools/leak-search/index.ts'
import { Keyring } from '../../src/seal/keyring.ts'
import { sealedStore } from '../../src/seal/sealed-store.ts'
import { createWorld, MINUTE, pass } from '../support/world.ts'

const newKey = () => randomBytes(32).toString('base64')
const HOUR = 60 * MINUTE

interface Upstream {
  fetches: number
  readonly given: string[]
}

interface Fleet {
  readonly clock: VirtualClock
  readonly store: ReturnType<typeof memoryStore>
  readonly upstream: Upstream
  readonly events: TokenEvent[]
  /** A process with these keys. */
  node(
    encryption?: EncryptionOptions,
    namespace?: string,
  ): { readonly manager: TokenManager; get(): Promise<string>; peek(): string | undefined }
  stored(): Promise<string>
}

function fleet(): Fleet {
  const clock = virtualClock()
  const store = memoryStore({ clock })
  const upstream: Upstream = { fetches: 0, given: [] }
  const events: TokenEvent[] = []
  const managers: TokenManager[] = []
  onTestFinished(async () => {
    for (const manager of managers) await manager.close()
  })
  return {
    clock,
    store,
    upstream,
    events,
    node(encryption, namespace) {
      const manager = createTokenManager({
        store,
        clock,
        onEvent: (event) => {
          record('event', event)
          events.push(event)
        },
        ...(encryption !== undefined && { encryption }),
        ...(namespace !== undefined && { namespace }),
      })
      managers.push(manager)
      const handle = manager.token({
        key: 'partner',
        fetch: async () => {
          upstream.fetches += 1
          const value = randomSecret('token')
          upstream.given.push(value)
          return { value, expiresInMs: 2 * HOUR }
        },
      })
      return { manager, get: async () => (await handle.get()).value, peek: () => handle.peek()?.value }
    },
    async stored() {
      const [snapshot] = await store.read(['tokenwell/partner'], { signal: new AbortController().signal })
      return snapshot?.value ?? ''
    },
  }
}

describe('the sealed store keeps the contract', () => {
  const clock = virtualClock()
  const keyring = new Keyring({ keys: { k: newKey() }, sealWith: 'k' })
  const { notRun } = describeTokenStore({
    test,
    capabilities: { shared: false, durable: false, push: true },
    factory: () => {
      const store = sealedStore(memoryStore({ clock }), keyring, () => {})
      return { stores: [store, store], close: () => store.close() }
    },
    clock: { now: () => clock.wall(), pass: (ms) => clock.advance(ms), stepBack: (ms) => clock.stepWall(-ms) },
  })

  test('and nothing of it was left out', () => expect(notRun).toEqual([]))
})

describe('a fleet that seals', () => {
  test('shares a token that its store does not show', async () => {
    const { node, stored, upstream } = fleet()
    const encryption = { keys: { first: newKey() }, sealWith: 'first' }
    const value = await node(encryption).get()
    expect(await node(encryption).get()).toBe(value)
    expect(upstream.fetches).toBe(1)
    expect(await stored()).toMatch(/^tokenwell1\.first\.[\w-]+$/)
  })

  test('begins to seal, and changes its key, in two rolls each: no error, and no request that was not due', async () => {
    const { node, stored, upstream, events, clock } = fleet()
    const [first, second] = [newKey(), newKey()]
    const steps: readonly (readonly [EncryptionOptions | undefined, mark: string])[] = [
      [undefined, ''],
      [{ keys: { first } }, ''],
      [{ keys: { first }, sealWith: 'first', allowClear: true }, 'first'],
      [{ keys: { first, second }, sealWith: 'first' }, 'first'],
      [{ keys: { first, second }, sealWith: 'second' }, 'second'],
      [{ keys: { second }, sealWith: 'second' }, 'second'],
    ]
    let running = Array.from({ length: 4 }, () => node())
    for (const [index, [encryption, mark]] of steps.entries()) {
      // One process after the other: the old and the new serve side by side, and each renews what another has stored.
      for (let each = 0; each < 4; each++) {
        await running[each]?.manager.close()
        running = running.with(each, node(encryption))
        const values = new Set(await Promise.all(running.map((one) => one.get())))
        expect(values.size).toBe(1)
      }
      expect(upstream.fetches).toBe(index + 1)
      await pass(clock, HOUR + 55 * MINUTE)
      for (const one of running) await one.get()
      await pass(clock, 1_000)
      expect(upstream.fetches).toBe(index + 2)
      for (const one of running) await one.get()
      expect((await stored()).startsWith(`tokenwell1.${mark}.`)).toBe(mark !== '')
    }
    expect(events.filter(({ type }) => type === 'record-unreadable' || type === 'backoff' || type === 'detached')).toEqual([])
  })

  test('says once that a record cannot be read, and fetches it once for all who cannot', async () => {
    const { node, upstream, events } = fleet()
    await node({ keys: { old: newKey() }, sealWith: 'old' }).get()
    const encryption = { keys: { other: newKey() }, sealWith: 'other' }
    const nodes = [node(encryption), node(encryption), node(encryption)]
    expect(new Set(await Promise.all(nodes.map((each) => each.get()))).size).toBe(1)
    expect(upstream.fetches).toBe(2)
    const told = events.filter((event) => event.type === 'record-unreadable')
    expect(told.length).toBeGreaterThan(0)
    expect(told.length).toBeLessThanOrEqual(3)
    expect(told[0]).toMatchObject({ key: 'partner', failure: { code: 'RECORD_UNREADABLE', retryable: false } })
  })

  test('is not misread by a process that knows nothing of encryption, which never serves what is sealed', async () => {
    const { node, stored, upstream, events } = fleet()
    await node({ keys: { k: newKey() }, sealWith: 'k' }).get()
    expect(await stored()).toMatch(/^tokenwell1\./)
    const clear = node()
    expect(await clear.get()).toBe(upstream.given[1])
    expect(events).toContainEqual(expect.objectContaining({ type: 'record-unreadable' }))
  })

  test('whose halves do not know each other’s key goes on serving, at one request for each half and life', async () => {
    const { node, upstream, clock } = fleet()
    const halves = [newKey(), newKey()].map((key, index) => ({ keys: { [`half${index}`]: key }, sealWith: `half${index}` }))
    const nodes = halves.flatMap((encryption) => [node(encryption), node(encryption)])
    for (let minute = 0; minute < 10 * 60; minute += 5) {
      for (const each of nodes) expect(upstream.given).toContain(await each.get())
      await pass(clock, 5 * MINUTE)
    }
    // Ten hours are a little more than five lives.
    expect(upstream.fetches).toBeLessThanOrEqual(2 * 6 + 2)
  })

  test('does not take a value that was put into another record', async () => {
    const { node, store, upstream, events } = fleet()
    const encryption = { keys: { k: newKey() }, sealWith: 'k' }
    await node(encryption).get()
    const operation = { signal: new AbortController().signal }
    const [mine] = await store.read(['tokenwell/partner'], operation)
    const request = { value: mine?.value ?? '', renewInMs: HOUR, expiresInMs: 2 * HOUR }
    await store.publish('elsewhere/partner', 'attacker', mine?.version ?? 0, request, operation)
    expect(await node(encryption, 'elsewhere').get()).toBe(upstream.given[1])
    expect(events).toContainEqual(expect.objectContaining({ type: 'record-unreadable' }))
  })
})

test('an app ticket that cannot be read is asked for again, and the error says so', async () => {
  const world = await createWorld({ ticket: false })
  const sealing = world.node({ manager: { encryption: { keys: { old: newKey() }, sealWith: 'old' } } })
  await sealing.tokens.acceptAppTicket({ ticket: world.simulator.issueTicket(world.appId), eventTime: new Date(world.clock.wall()) })
  world.simulator.fault('app_ticket_resend', { kind: 'hang' })
  const { tokens } = world.node({ manager: { encryption: { keys: { other: newKey() }, sealWith: 'other' } } })
  const waiting = errorOf(tokens.app.get({ timeoutMs: 1_000 }))
  await pass(world.clock, 1_000)
  expect(await waiting).toMatchObject({ code: 'TICKET_UNAVAILABLE', cause: { code: 'RECORD_UNREADABLE' } })
  expect(world.resends()).toBe(1)
})

test('no namespace, app, domain or tenant ever gets the token of another, however alike their names', async () => {
  const world = await createWorld()
  const names = ['a', 'b', 'a/b', 'a%2Fb', 'a:b', 'a b', 'é', 'e\u0301', 'ﬁ', 'fi', 'A', '.', '..', 'a/', '/a', 'Å', '\u212b']
  const encryption = { keys: { k: newKey() }, sealWith: 'k' }
  const seen = new Map<string, string>()
  const all: Promise<void>[] = []
  for (const namespace of ['one', 'one.two', 'one:two']) {
    const manager = createTokenManager({ store: world.store, clock: world.clock, namespace, encryption })
    onTestFinished(() => manager.close())
    for (const name of names) {
      // What it fetches says whose it is.
      const own = `${namespace} ${name}`
      const handle = manager.token({ key: name, fetch: async () => ({ value: own, expiresInMs: 2 * HOUR }) })
      for (let caller = 0; caller < 5; caller++) {
        all.push(
          handle.get().then(({ value }) => {
            expect(value).toBe(own)
            seen.set(`${namespace}\n${name}`, value)
          }),
        )
      }
    }
  }
  await Promise.all(all)
  expect(seen.size).toBe(3 * names.length)
  expect(new Set(seen.values()).size).toBe(3 * names.length)
})
