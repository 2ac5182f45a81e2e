import { createTokenManager } from '@tokenwell/core'
import { createFeishuTokens, type FeishuTokens } from '@tokenwell/core/feishu'
import { type FeishuSimulator, startFeishuSimulator } from '@tokenwell/feishu-simulator'
import { providePostgres, provideRedis } from '@tokenwell/test-servers'
import fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import type { FleetRecords } from '../records/fleet-records.ts'
import { postgresRecords } from '../records/postgres.ts'
import { redisRecords } from '../records/redis.ts'
import { sqliteRecords } from '../records/sqlite.ts'
import { openStore } from '../store-address.ts'

/** Pieces that separate, escape, or look alike. */
const piece = fc.constantFrom(
  'a',
  'b',
  'A',
  '/',
  '%',
  '%2F',
  '2F',
  ':',
  '.',
  '..',
  ' ',
  '{',
  '}',
  '*',
  '\\',
  '\n',
  'é',
  'e\u0301',
  'ﬁ',
  'fi',
  'K',
  '\u212a',
  '飞',
  '🜁',
)
const name = fc.array(piece, { minLength: 1, maxLength: 6 }).map((pieces) => pieces.join(''))

/** Names, and others that one of them could be mistaken for. */
const names = fc
  .array(name, { minLength: 2, maxLength: 3 })
  .map((given) => given.flatMap((each) => [each, each.normalize('NFD'), each.normalize('NFKC'), encodeURIComponent(each), `${each}/`]))
  .map((all) => [...new Set(all)].filter(({ length }) => length > 0 && length <= 60))

const APPS = ['cli_a', 'cli_a/b', 'cli_a%2Fb']
const NAMESPACES = ['one', 'one.two']

interface Place {
  readonly namespace: string
  readonly platform: FeishuSimulator
  readonly appId: string
  readonly tokens: FeishuTokens
}

/** Every app of every platform in every namespace, in two processes' worth of managers over one store. */
async function open(records: FleetRecords, platforms: readonly FeishuSimulator[]): Promise<Place[]> {
  const places: Place[] = []
  for (const namespace of [...NAMESPACES, ...NAMESPACES]) {
    const { store, end } = await openStore(records.address)
    const manager = createTokenManager({ store, namespace, storeTimeoutMs: 10_000 })
    onTestFinished(async () => {
      await manager.close()
      await end()
    })
    for (const platform of platforms) {
      for (const appId of APPS) {
        const tokens = createFeishuTokens({ appId, appSecret: 'secret', manager, domain: platform.url })
        places.push({ namespace, platform, appId, tokens })
      }
    }
  }
  return places
}

async function ownerOf({ platform }: Place, token: string, path: string): Promise<unknown> {
  const response = await fetch(`${platform.url}/open-apis/${path}`, { headers: { authorization: `Bearer ${token}` } })
  return ((await response.json()) as { data: unknown }).data
}

interface Opened {
  readonly records: FleetRecords
  stop(): Promise<void>
}

const STORES: Readonly<Record<string, () => Promise<Opened>>> = {
  async Redis() {
    const server = await provideRedis()
    return { records: redisRecords(server.url), stop: () => server.stop() }
  },
  async Postgres() {
    const server = await providePostgres()
    return { records: postgresRecords(server.url), stop: () => server.stop() }
  },
  async SQLite() {
    return { records: await sqliteRecords(), stop: async () => {} }
  },
}

test.each(Object.keys(STORES))(
  'on %s, no namespace, platform, app, tenant or user is ever given the token of another, however alike their names',
  async (kind) => {
    const opened = await STORES[kind]?.()
    if (opened === undefined) throw new Error('unreachable')
    const { records } = opened
    onTestFinished(async () => {
      await records.remove()
      await opened.stop()
    })
    const apps = APPS.map((appId) => ({ appId, appSecret: 'secret', verificationToken: 'v', encryptKey: 'e' }))
    const platforms = [
      await startFeishuSimulator({ apps, pushTickets: 'manual' }),
      await startFeishuSimulator({ apps, pushTickets: 'manual' }),
    ]
    onTestFinished(async () => {
      for (const platform of platforms) await platform.close()
    })
    const places = await open(records, platforms)
    for (const { platform, appId, tokens } of places) {
      await tokens.acceptAppTicket({ ticket: platform.issueTicket(appId), eventTime: new Date() })
    }

    await fc.assert(
      fc.asyncProperty(names, names, async (tenantKeys, userIds) => {
        // The first half of the places are one process, the other half another.
        await Promise.all(
          places.slice(0, places.length / 2).flatMap(({ namespace, platform, appId, tokens }) =>
            userIds.map(async (userId) => {
              const consent = platform.issueCode(appId, `${namespace} ${userId}`)
              await tokens.user(userId).authorize({ code: consent })
            }),
          ),
        )
        const checks = places.flatMap((place) => [
          ...tenantKeys.map(async (tenantKey) => {
            const { value } = await place.tokens.tenant(tenantKey).get()
            expect(await ownerOf(place, value, 'any/api')).toMatchObject({
              app_id: place.appId,
              token_type: 'tenant',
              tenant_key: tenantKey,
            })
          }),
          ...userIds.map(async (userId) => {
            const { value } = await place.tokens.user(userId).get()
            expect(await ownerOf(place, value, 'authen/v1/user_info')).toMatchObject({ user_id: `${place.namespace} ${userId}` })
          }),
        ])
        await Promise.all(checks)
        // What is refused in one place is refused nowhere else.
        const [one, ...others] = places as [Place, ...Place[]]
        const [tenantKey = ''] = tenantKeys
        const before = others.map(({ tokens }) => tokens.tenant(tenantKey).peek()?.value)
        const strangers = others.map(
          ({ namespace, platform, appId }) => namespace !== one.namespace || platform !== one.platform || appId !== one.appId,
        )
        await one.tokens.tenant(tenantKey).reject(await one.tokens.tenant(tenantKey).get())
        const after = others.map(({ tokens }) => tokens.tenant(tenantKey).peek()?.value)
        expect(after.filter((_, index) => strangers[index])).toEqual(before.filter((_, index) => strangers[index]))
      }),
      { numRuns: 4 },
    )
  },
  120_000,
)
