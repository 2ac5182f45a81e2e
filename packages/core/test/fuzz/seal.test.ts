import { randomBytes } from 'node:crypto'
import { createTokenManager, type Snapshot, type TokenEvent, type TokenStore } from '@tokenwell/core'
import { memoryStore } from '@tokenwell/store-memory'
import { virtualClock } from '@tokenwell/testkit'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { randomSecret } from '../../../../tools/leak-search/index.ts'
import { Keyring } from '../../src/seal/keyring.ts'
import { expectHarmless, expectLinear, PATIENCE_MS, runs, watchRejections } from './support/runs.ts'

const key = randomSecret('sealing key').padEnd(43, 'A').slice(0, 43)
const other = randomBytes(32).toString('base64')
const keyring = new Keyring({ keys: { k: key, second: other }, sealWith: 'k' })
/** One that has another key under the same id. */
const impostor = new Keyring({ keys: { k: other }, sealWith: 'k' })
const careless = new Keyring({ keys: { k: key }, sealWith: 'k', allowClear: true })

let unhandled = (): unknown[] => []
beforeAll(() => {
  unhandled = watchRejections()
})
afterAll(() => expect(unhandled()).toEqual([]))

const place = fc.record({
  key: fc.oneof(fc.string({ unit: 'binary', minLength: 1, maxLength: 30 }), fc.constantFrom('a', 'a","b', 'a/b', '\ud800', '\0')),
  version: fc.oneof(fc.nat(), fc.constantFrom(0, 1, Number.MAX_SAFE_INTEGER, 1.5, -1)),
})
const plain = fc.oneof(
  fc.string({ minLength: 1, maxLength: 60, unit: fc.constantFrom('a', 'é', '\u{1f600}', '.', '\n', '=') }),
  fc.constant('x'.repeat(16_000)),
  fc.constant('tokenwell1.k.AAAA'),
)

type Forgery = (sealed: string) => string
const insert =
  (at: number, text: string): Forgery =>
  (sealed) =>
    sealed.slice(0, at % (sealed.length + 1)) + text + sealed.slice(at % (sealed.length + 1))
const replaceAt =
  (at: number, text: string): Forgery =>
  (sealed) => {
    const index = at % sealed.length
    return sealed.slice(0, index) + text + sealed.slice(index + text.length)
  }
const oddText = fc.oneof(
  fc.constantFrom(
    '=',
    '==',
    '+',
    '/',
    '-',
    '_',
    '.',
    '..',
    ' ',
    '\n',
    '\t',
    '\0',
    'A',
    'Ａ',
    '\u200b',
    '\ufeff',
    '\ud800',
    'é',
    '\u{1f600}',
  ),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 6 }),
)

/** What somebody who can write to the store can make of a value. */
const forgery: fc.Arbitrary<Forgery> = fc.oneof(
  fc.nat().map<Forgery>((cut) => (sealed) => sealed.slice(0, cut % (sealed.length + 1))),
  fc.nat().map<Forgery>((cut) => (sealed) => sealed.slice(cut % sealed.length)),
  fc.tuple(fc.nat(), oddText).map(([at, text]) => insert(at, text)),
  fc.tuple(fc.nat(), oddText).map(([at, text]) => replaceAt(at, text)),
  fc.tuple(fc.nat(), fc.nat(7)).map<Forgery>(([at, bit]) => (sealed) => {
    const [mark = '', id = '', text = ''] = sealed.split('.')
    const bytes = Buffer.from(text, 'base64url')
    const index = at % bytes.length
    bytes[index] = (bytes[index] ?? 0) ^ (1 << bit)
    return `${mark}.${id}.${bytes.toString('base64url')}`
  }),
  // The last character of a length that is no multiple of three has bits that no decoder reads.
  fc.constantFrom('A', 'Q', 'g', 'w', '-', '_', '8').map<Forgery>((last) => (sealed) => sealed.slice(0, -1) + last),
  fc
    .constantFrom('', 'second', 'K', 'k ', 'unknown', '__proto__', 'constructor', 'k.k', 'ｋ')
    .map<Forgery>((id) => (sealed) => sealed.replace('.k.', `.${id}.`)),
  fc
    .constantFrom('tokenwell2', 'Tokenwell1', 'tokenwell1 ', 'tokenwell', '', 'ｔokenwell1')
    .map<Forgery>((mark) => (sealed) => sealed.replace('tokenwell1', mark)),
  fc.constantFrom<Forgery>(
    (sealed) => sealed.toUpperCase(),
    (sealed) => sealed.replaceAll('-', '+').replaceAll('_', '/'),
    (sealed) => `${sealed}=`,
    (sealed) => sealed + sealed,
    (sealed) => `${sealed}.${sealed}`,
    (sealed) => Buffer.from(sealed).toString('base64'),
    (sealed) => JSON.stringify(sealed),
    (sealed) => encodeURIComponent(sealed.toWellFormed().replaceAll('.', ' ')),
    (sealed) => sealed + 'A'.repeat(1_000_000),
    () => `tokenwell1.k.${'.'.repeat(100_000)}`,
    () => 'tokenwell1.k.',
    () => `tokenwell1.k.${Buffer.alloc(28).toString('base64url')}`,
    () => 'tokenwell1.',
    () => '',
  ),
  fc.string({ unit: 'binary', maxLength: 80 }).map<Forgery>((text) => () => text),
)

describe('a sealed value that was tampered with', () => {
  test(
    'opens to what was sealed or not at all, here and nowhere else',
    () => {
      fc.assert(
        fc.property(plain, place, place, fc.array(forgery, { maxLength: 3 }), (value, here, elsewhere, forgeries) => {
          const sealed = keyring.seal(value, here)
          const stored = forgeries.reduce((text, forge) => (text === '' ? '' : forge(text)), sealed)
          const opened = keyring.open(stored, here)
          if (stored === sealed) expect(opened).toEqual({ value })
          else expect(opened).toEqual({ unreadable: expect.any(String) })
          const moved = keyring.open(sealed, elsewhere)
          if (here.key !== elsewhere.key || !Object.is(here.version + 0, elsewhere.version + 0)) expect(moved).not.toHaveProperty('value')
          expect(impostor.open(stored, here)).not.toHaveProperty('value')
          // Where clear values are read, only what does not claim to be sealed is one.
          const read = careless.open(stored, here)
          if ('value' in read) expect(stored === sealed || (read.value === stored && !stored.startsWith('tokenwell1.'))).toBe(true)
        }),
        runs(3_000),
      )
    },
    PATIENCE_MS,
  )

  test.each<readonly [string, (size: number) => string]>([
    ['characters', (size) => `tokenwell1.k.${'A'.repeat(size)}`],
    ['dots', (size) => `tokenwell1.k.${'.'.repeat(size)}`],
    ['characters of no alphabet', (size) => `tokenwell1.k.${'é'.repeat(size)}`],
    ['a key id without end', (size) => `tokenwell1.${'k'.repeat(size)}`],
  ])(
    'takes no more than its share of time for %s',
    (_, make) => {
      expectLinear((size) => {
        const stored = make(size)
        return () => keyring.open(stored, { key: 'a', version: 1 })
      }, 500_000)
    },
    60_000,
  )
})

type Tamper = (snapshot: Snapshot, all: ReadonlyMap<string, string>) => string | undefined

/** What is read instead of what is stored: a forgery, or a value of another record or another time. */
const tamper: fc.Arbitrary<Tamper> = fc.oneof(
  { weight: 2, arbitrary: fc.constant<Tamper>(({ value }) => value) },
  {
    weight: 3,
    arbitrary: forgery.map<Tamper>(
      (forge) =>
        ({ value }) =>
          value === undefined || value === '' ? value : forge(value),
    ),
  },
  { weight: 1, arbitrary: fc.constant<Tamper>(({ key: own }, all) => [...all].find(([each]) => !each.startsWith(`${own}@`))?.[1]) },
  { weight: 1, arbitrary: fc.constant<Tamper>(({ key: own }, all) => [...all].find(([each]) => each.startsWith(`${own}@`))?.[1]) },
)

/** A store whose contents somebody else has at hand. */
function tampered(store: TokenStore, next: () => Tamper): TokenStore {
  const all = new Map<string, string>()
  const show = (snapshot: Snapshot): Snapshot => {
    if (snapshot.value === undefined) return snapshot
    all.set(`${snapshot.key}@${snapshot.version}`, snapshot.value)
    const value = next()(snapshot, all)
    return { ...snapshot, value: value ?? snapshot.value }
  }
  const inside = <T extends { readonly snapshot: Snapshot }>(answer: T): T => ({ ...answer, snapshot: show(answer.snapshot) })
  return {
    ...store,
    read: async (...args) => (await store.read(...args)).map(show),
    claim: async (...args) => inside(await store.claim(...args)),
    publish: async (...args) => inside(await store.publish(...args)),
    settle: async (...args) => show(await store.settle(...args)),
    invalidate: async (...args) => show(await store.invalidate(...args)),
  }
}

describe('a fleet whose store is tampered with', () => {
  test(
    'serves nothing but what was fetched for the key, tells each unreadable record once, and fetches anew',
    async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(tamper, { minLength: 1, maxLength: 5 }),
          fc.array(fc.tuple(fc.nat(1), fc.constantFrom('one', 'two'), fc.constantFrom(0, 1_000, 3_600_000, 7_200_000)), {
            minLength: 2,
            maxLength: 8,
          }),
          async (tampers, moves) => {
            const clock = virtualClock()
            const honest = memoryStore({ clock })
            let reads = 0
            let active = true
            const store = tampered(honest, () => (active ? tampers[reads++ % tampers.length] : undefined) ?? (({ value }) => value))
            const events: TokenEvent[] = []
            const nodes = [0, 1].map((node) =>
              createTokenManager({
                store,
                clock,
                encryption: { keys: { k: key }, sealWith: 'k' },
                onEvent: (event) => void events.push({ ...event, key: `${node} ${event.key}` }),
              }),
            )
            let fetches = 0
            const get = async (node: number, name: string) => {
              const handle = nodes[node]?.token({
                key: name,
                fetch: async () => {
                  fetches += 1
                  return { value: `${name}-${fetches}`, expiresInMs: 2 * 3_600_000 }
                },
              })
              const asked = handle?.get({ timeoutMs: 10_000 }).catch((error: unknown) => expectHarmless(error, [key]))
              for (let second = 0; second < 11; second += 1) await clock.advance(1_000)
              return asked
            }
            for (const [node, name, ms] of moves) {
              const answer = await get(node, name)
              if (answer !== undefined && 'value' in answer) expect(answer.value).toMatch(new RegExp(`^${name}-\\d+$`))
              await clock.advance(ms)
            }
            expect(fetches).toBeLessThanOrEqual(10 * moves.length)
            for (const event of events) {
              if (event.type !== 'record-unreadable') continue
              expect(expectHarmless(event.failure, [key]).code).toBe('RECORD_UNREADABLE')
            }
            const told = events
              .filter(({ type }) => type === 'record-unreadable')
              .map((event) => JSON.stringify([event.key, 'version' in event && event.version]))
            expect(new Set(told).size).toBe(told.length)
            active = false
            await clock.advance(3 * 3_600_000)
            expect(await get(0, 'one')).toMatchObject({ value: expect.stringMatching(/^one-/) })
            for (const node of nodes) {
              const closed = node.close()
              await clock.advance(10_000)
              await closed
            }
          },
        ),
        runs(150),
      )
    },
    PATIENCE_MS,
  )
})
