import { createTokenManager, type Random } from '@tokenwell/core'
import { createFeishuTokens, type FeishuTokens } from '@tokenwell/core/feishu'
import { memoryStore } from '@tokenwell/store-memory'
import { type VirtualClock, virtualClock } from '../virtual-clock.ts'
import { FakePlatform } from './fake-platform.ts'
import type { FakeRequest } from './fake-replies.ts'

export interface FakeFeishuTokensOptions {
  /** Default `cli_fake`. */
  readonly appId?: string
  /** As for `createFeishuTokens`. Default `store`. */
  readonly appType?: 'store' | 'custom'
  /** Whether an app ticket has come already. A custom app needs none. Default true. */
  readonly ticket?: boolean
  /** The clock of the tokens and of the platform. Default: one of their own, which starts with the year 2026, UTC. */
  readonly clock?: VirtualClock
  /**
   * What the API answers a request whose token is good, to be sent as JSON: put on top of `{ code: 0, msg: 'success' }`. It is called with
   * requests that come through `platform.dispatcher` only. Default: nothing more.
   */
  readonly api?: (request: FakeRequest) => object | Promise<object>
}

/** The tokens of an app as in production, and a platform and a clock that do what a test tells them to. */
export interface FakeFeishuTokens extends FeishuTokens {
  /** The other end: what it answers, and what it was asked. */
  readonly platform: FakePlatform
  /**
   * The time of the tokens and of the platform, which stands still until `clock.advance(ms)`: it runs what falls due on the way (renewals,
   * deadlines, waits) in order. `clock.advance(0)` lets what has begun go as far as it can without time.
   */
  readonly clock: VirtualClock
}

const OPTIONS = ['appId', 'appType', 'ticket', 'clock', 'api']

const VERIFICATION_TOKEN = 'verification token of the fake'

/**
 * The tokens of one app for tests of code that uses them: the real `FeishuTokens` over a store in memory, with a platform in the same process
 * that answers as Feishu does unless told otherwise. No socket is opened, no timer of Node is set, and the global fake timers of a test
 * runner make no difference. Call `close()` when done.
 *
 * The tokens are called `a-1` (app), `t-acme-1` (tenant `acme`), `u-1` (user), `jsapi-acme-1` (ticket of the JS SDK), then `-2` and so on; those
 * of a custom app `t-1` and `jsapi-1`. They live for 2 h, and a mint gives the same one while it has 30 minutes left and has not been revoked.
 *
 * @example
 * const tokens = fakeFeishuTokens()
 * tokens.platform.next('tenant_access_token', { code: 10014 }, { value: 't-second' })
 * await expect(tokens.tenantAccessToken('acme')).rejects.toMatchObject({ code: 'CONFIGURATION_REJECTED' })
 * await tokens.close()
 * @throws TypeError for an option that is wrong
 */
export function fakeFeishuTokens(options: FakeFeishuTokensOptions = {}): FakeFeishuTokens {
  check(options)
  const { appId = 'cli_fake', appType = 'store', ticket = true, clock = virtualClock(), api = () => ({}) } = options
  const platform = new FakePlatform({ clock, appId, verificationToken: VERIFICATION_TOKEN, api })
  const manager = createTokenManager({ store: memoryStore({ clock }), clock, random: evenly() })
  const tokens = createFeishuTokens({
    appId,
    appSecret: 'app secret of the fake',
    appType,
    manager,
    events: { verificationToken: VERIFICATION_TOKEN },
    http: { dispatcher: platform.dispatcher },
  })
  const closeTokens = tokens.close
  // Received before anything can be asked for.
  if (ticket && appType === 'store') void tokens.receiveEvent(platform.buildEvent())
  return Object.assign(tokens, {
    platform,
    clock,
    async close(given?: Parameters<FeishuTokens['close']>[0]) {
      await closeTokens(given)
      const closed = manager.close(given)
      // The refresh of a user's token is never aborted, and time stands still.
      platform.close()
      await closed
    },
  })
}

/** Chance that makes no difference between two runs: jitter is always half of what it can be. */
function evenly(): Random {
  let count = 0
  return { fraction: () => 0.5, id: () => `draw-${++count}` }
}

/** `createFeishuTokens` looks at the rest. */
function check(options: FakeFeishuTokensOptions): void {
  for (const name of Object.keys(options)) {
    if (!OPTIONS.includes(name)) throw new TypeError(`fakeFeishuTokens: there is no option "${name}"; it takes ${OPTIONS.join(', ')}`)
  }
  const { ticket, api } = options
  if (ticket !== undefined && typeof ticket !== 'boolean')
    throw new TypeError(`ticket: expected true or false, got a value of type ${typeof ticket}`)
  if (api !== undefined && typeof api !== 'function') throw new TypeError(`api: expected a function, got a value of type ${typeof api}`)
}
