import { createTokenManager, type TokenErrorCode, type TokenManager } from '@tokenwell/core'
import { createFeishuTokens, type FeishuTokens } from '@tokenwell/core/feishu'
import { memoryStore } from '@tokenwell/store-memory'
import { type VirtualClock, virtualClock } from '@tokenwell/testkit'
import fc from 'fast-check'
import { Agent, MockAgent } from 'undici'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { randomSecret } from '../../../../tools/leak-search/index.ts'
import { mutated } from './support/hostile-json.ts'
import { HostileStore, hint, type Trick, trick } from './support/hostile-store.ts'
import { expectHarmless, PATIENCE_MS, runs, watchRejections } from './support/runs.ts'

const HOUR = 3_600_000
const appId = 'cli_a'
const appSecret = randomSecret('app secret')

let unhandled = (): unknown[] => []
beforeAll(() => {
  unhandled = watchRejections()
})
afterAll(() => expect(unhandled()).toEqual([]))

const good: Readonly<Record<string, object>> = {
  '/open-apis/auth/v3/app_access_token': { code: 0, app_access_token: 'app', expire: 7200 },
  '/open-apis/auth/v3/app_access_token/internal': { code: 0, app_access_token: 'app', tenant_access_token: 'tenant', expire: 7200 },
  '/open-apis/auth/v3/tenant_access_token': { code: 0, tenant_access_token: 'tenant', expire: 7200 },
  '/open-apis/auth/v3/app_ticket/resend': { code: 0 },
  '/open-apis/authen/v2/oauth/token': {
    code: 0,
    access_token: 'u',
    expires_in: 7200,
    refresh_token: 'r',
    refresh_token_expires_in: 604_800,
  },
  '/open-apis/jssdk/ticket/get': { code: 0, data: { ticket: 'j', expire_in: 7200 } },
}

/** An upstream within this process: no time passes between a request and its reply. */
function upstream(next: (path: string) => { readonly status: number; readonly body: Buffer } | undefined): MockAgent {
  const agent = new MockAgent({ agent: new Agent() })
  agent.disableNetConnect()
  agent
    .get('https://open.feishu.cn')
    .intercept({ path: () => true, method: 'POST' })
    .reply(({ path }) => {
      const { status, body } = next(path) ?? { status: 200, body: Buffer.from(JSON.stringify(good[path])) }
      return { statusCode: status, data: body }
    })
    .persist()
  return agent
}

type Call = (tokens: FeishuTokens, clock: VirtualClock) => Promise<unknown>

/** Everything that can be asked of an app. */
const calls: Readonly<Record<string, Call>> = {
  ticket: (tokens, clock) => tokens.acceptAppTicket({ ticket: 'a-ticket', eventTime: new Date(clock.wall()) }),
  app: (tokens) => tokens.appAccessToken(),
  tenant: (tokens) => tokens.tenantAccessToken('t'),
  page: (tokens) => tokens.jsapiTicket('t').get(),
  warm: (tokens) => tokens.warm(['t', 'u']),
  authorize: (tokens) => tokens.user('ann').authorize({ code: 'a-code' }),
  user: (tokens) => tokens.user('ann').get(),
  forget: (tokens) => tokens.user('ann').forget(),
  expiring: (tokens) => tokens.expiringAuthorizations(['ann', 'bob']),
  reject: async (tokens) => {
    const token = tokens.app.peek()
    if (token !== undefined) await tokens.app.reject(token)
  },
  wait: (_, clock) => clock.advance(2 * HOUR),
}
const script = fc.array(fc.constantFrom(...Object.keys(calls)), { minLength: 1, maxLength: 10 })

/** A replaced login waits for others for 20 s, and 15 s for the store; a caller waits for 15 s. */
const BOUND_MS = 120_000

interface Scene {
  readonly clock: VirtualClock
  readonly manager: TokenManager
  readonly tokens: FeishuTokens
  readonly codes: Set<TokenErrorCode>
}

function scene(agent: MockAgent, tricks: readonly Trick[], first: () => unknown): Scene & { readonly hostile: HostileStore } {
  const clock = virtualClock()
  const hostile = new HostileStore(memoryStore({ clock }), tricks, clock, first)
  const manager = createTokenManager({ store: hostile.store, clock })
  const tokens = createFeishuTokens({ appId, appSecret, manager, http: { dispatcher: agent } })
  return { clock, manager, tokens, hostile, codes: new Set() }
}

async function turn(): Promise<void> {
  for (let round = 0; round < 8; round += 1) await new Promise<void>((resolve) => setImmediate(resolve))
}

/** Runs one call to its end. It is to settle in time, with a result or a harmless error. */
async function settle({ clock, codes }: Scene, what: string, work: Promise<unknown>): Promise<void> {
  let open = true
  const watched = work.then(
    () => {
      open = false
    },
    (error: unknown) => {
      open = false
      codes.add(expectHarmless(error, [appSecret]).code)
    },
  )
  for (let step = 0; step < 240 && open; step += 1) {
    await turn()
    if (open) await clock.advance(BOUND_MS / 240)
  }
  if (open) throw new Error(`${what} did not settle within ${BOUND_MS} ms`)
  await watched
}

async function end(given: Scene & { readonly hostile: HostileStore }, agent: MockAgent): Promise<void> {
  await settle(given, 'close', given.manager.close())
  await given.clock.advance(60_000)
  await agent.close()
  if (given.hostile.loops) throw new Error(`the store is asked without a pause:\n${given.hostile.played.join('\n')}`)
}

describe('an app', () => {
  test(
    'whose store answers anything gets TokenErrors in time from everything it asks',
    async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(trick, { minLength: 1, maxLength: 6 }), hint, script, async (tricks, first, names) => {
          const agent = upstream(() => undefined)
          const given = scene(agent, tricks, first)
          for (const name of names) await settle(given, name, calls[name]?.(given.tokens, given.clock) ?? Promise.resolve())
          await end(given, agent)
        }),
        runs(40),
      )
    },
    PATIENCE_MS,
  )

  test(
    'whose upstream answers anything gets TokenErrors in time, and tokens once it is well again',
    async () => {
      const replies = fc.array(
        fc
          .tuple(fc.constantFrom(...Object.keys(good)), fc.constantFrom(200, 200, 400, 500, 429))
          .chain(([path, status]) => mutated(fc.constant(good[path] ?? {})).map((body) => ({ path, status, body }))),
        { minLength: 1, maxLength: 8 },
      )
      await fc.assert(
        fc.asyncProperty(replies, script, async (hostile, names) => {
          const waiting = [...hostile]
          const agent = upstream((path) => {
            const index = waiting.findIndex((each) => each.path === path)
            return index < 0 ? undefined : waiting.splice(index, 1)[0]
          })
          const given = scene(agent, [{ name: 'honest', lies: false, play: (call) => call() }], () => ({ kind: 'gap' }))
          for (const name of ['ticket', ...names]) await settle(given, name, calls[name]?.(given.tokens, given.clock) ?? Promise.resolve())
          waiting.length = 0
          // The longest that an upstream may ask to be left alone.
          await given.clock.advance(1.2 * HOUR)
          given.codes.clear()
          for (const name of ['ticket', 'app', 'tenant', 'page', 'authorize', 'user']) {
            await settle(given, name, calls[name]?.(given.tokens, given.clock) ?? Promise.resolve())
          }
          expect([...given.codes]).toEqual([])
          await end(given, agent)
        }),
        runs(40),
      )
    },
    PATIENCE_MS,
  )
})
