import type { Claim } from '@tokenwell/core'
import { postgresStore } from '@tokenwell/store-postgres'
import { type PostgresServer, startPostgres } from '@tokenwell/test-servers'
import type { Pool } from 'pg'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { lockWaitCases } from './support/lock-wait.ts'
import { claim, patient, publication } from './support/operations.ts'
import { connect } from './support/pool.ts'
import { isolated } from './support/versions.ts'

let server: PostgresServer
let admin: Pool

beforeAll(async () => {
  server = await startPostgres()
  admin = connect(server.url)
}, 60_000)

afterAll(async () => {
  await admin.end()
  await server.stop()
})

/** Stores of several nodes, each with a pool of its own. */
function fleet(schema: string, nodes: number, options: object = {}) {
  return Array.from({ length: nodes }, () => {
    const pool = connect(server.url, { max: 5, ...options })
    onTestFinished(() => pool.end())
    return postgresStore({ pool, schema })
  })
}

const numbers = (count: number) => Array.from({ length: count }, (_, index) => index)

/** Every node claims each of the keys at once, several times over; the answers by key. */
async function raceFor(keys: number, contenders: number, schema: string, options?: object): Promise<Claim[][]> {
  const stores = fleet(schema, 6, options)
  await Promise.all(stores.map((store) => store.read(['any'], patient)))
  return Promise.all(
    numbers(keys).map((key) =>
      Promise.all(numbers(contenders).map((n) => stores[n % stores.length]?.claim(`key ${key}`, `${n}`, claim, patient) as Promise<Claim>)),
    ),
  )
}

const kinds = (claims: readonly Claim[]) => claims.map(({ kind }) => kind).sort()

test('of 30 who claim at once, on each of 200 new keys, one is granted and every other is told so', async () => {
  for (const claims of await raceFor(200, 30, 'race')) expect(kinds(claims)).toEqual(['granted', ...Array(29).fill('held')])
}, 60_000)

test.each(['repeatable read', 'serializable'] as const)(
  'so it is where sessions are %s by default',
  async (level) => {
    for (const claims of await raceFor(20, 15, level, isolated(level)))
      expect(kinds(claims)).toEqual(['granted', ...Array(14).fill('held')])
  },
  60_000,
)

test('10,000 leases of a millisecond have 10,000 fences', async () => {
  const stores = fleet('fences', 4)
  const fences = new Set<string>()
  let granted = 0
  const grab = async (n: number) => {
    for (let round = 0; granted < 10_000; round++) {
      const store = stores[n % stores.length]
      const claimed = await store?.claim(`key ${n % 10}`, `${n} ${round}`, { ...claim, leaseMs: 0.001 }, patient)
      if (claimed?.kind !== 'granted') continue
      granted++
      fences.add(`${n % 10} ${claimed.fence}`)
    }
  }
  await Promise.all(numbers(20).map(grab))
  expect(fences.size).toBe(granted)
}, 60_000)

test('who meets others at the same row each time is carried out all the same', async () => {
  const [store] = fleet('crowded', 1)
  if (store === undefined) throw new Error('no store')
  await store.invalidate('key', 1, patient)
  let isOver = false
  const others = numbers(3).map(async () => {
    while (!isOver) await admin.query('update crowded.records set changed_at = changed_at + 1')
  })
  try {
    for (const n of numbers(300)) {
      const claimed = await store.claim('key', `${n}`, { ...claim, rejected: n }, patient)
      if (claimed.kind !== 'granted') throw new Error(`answered ${claimed.kind}`)
      if (n % 3 === 0) await store.settle('key', `${n}`, claimed.fence, { backoffMs: 0 }, patient)
      else
        expect(
          (await store.publish('key', `${n}`, n % 3 === 1 ? claimed.fence : 1, { ...publication, renewInMs: 0 }, patient)).snapshot.lease,
        ).toBeUndefined()
      await store.invalidate('key', claimed.fence, patient)
    }
  } finally {
    isOver = true
    await Promise.all(others)
  }
}, 60_000)

test('readers and writers of the same keys do not fail each other', async () => {
  const stores = fleet('mixed', 4)
  const keys = numbers(5).map((key) => `key ${key}`)
  await Promise.all(
    numbers(200).map(async (n) => {
      const store = stores[n % stores.length]
      const key = keys[n % keys.length] ?? ''
      const claimed = await store?.claim(key, `${n}`, { ...claim, leaseMs: 1 }, patient)
      if (claimed?.kind === 'granted') await store?.publish(key, `${n}`, claimed.fence, { ...publication, renewInMs: 0 }, patient)
      expect(await store?.read([...keys, ...keys].reverse(), patient)).toHaveLength(10)
      await store?.invalidate(key, n, patient)
    }),
  )
})

describe('an operation that has waited for the row', () => {
  let schemas = 0

  test.each(Object.entries(lockWaitCases))('%s', async (_, run) => {
    const schema = `wait ${schemas++}`
    const [store] = fleet(schema, 1)
    if (store === undefined) throw new Error('no store')
    await store.read(['any'], patient)
    await run({ store, admin, schema })
  })
})

test('reading waits for nobody', async () => {
  const [store] = fleet('reading', 1)
  await store?.invalidate('key', 7, patient)
  const holder = await admin.connect()
  onTestFinished(() => holder.release())
  await holder.query('begin; update reading.records set rejected_up_to = 9; lock reading.records in exclusive mode')
  expect((await store?.read(['key'], patient))?.[0]?.rejectedUpTo).toBe(7)
  await holder.query('rollback')
})
