import { type FeishuSimulator, type RequestRecord, startFeishuSimulator } from '@tokenwell/feishu-simulator'
import { redisStore } from '@tokenwell/store-redis'
import { type RedisServer, startRedis } from '@tokenwell/test-servers'
import { virtualClock } from '@tokenwell/testkit'
import { Redis } from 'ioredis'
import { moveDeadlines } from '../../../packages/store-redis/test/support/records.ts'
import { randomSecret, record } from '../../../tools/leak-search/index.ts'
import { type Clocks, Instance } from './function.ts'

const APP_ID = 'cli_serverless'
const PREFIX = 'tokenwell'

/** Redis and the platform, and the instances of the function in between. Time passes when the test says so, for all of them. */
export class Stage {
  readonly redis: RedisServer
  readonly platform: FeishuSimulator
  readonly admin: Redis
  readonly #clock: ReturnType<typeof virtualClock>
  readonly #env: Readonly<Record<string, string>>
  readonly #instances: Instance[] = []

  private constructor(
    redis: RedisServer,
    platform: FeishuSimulator,
    clock: ReturnType<typeof virtualClock>,
    env: Readonly<Record<string, string>>,
  ) {
    this.redis = redis
    this.platform = platform
    this.admin = new Redis(redis.url)
    this.#clock = clock
    this.#env = env
  }

  /** `tokenLifeMs`: of every token. With less than half an hour the platform makes a new one each time. */
  static async set(tokenLifeMs: number): Promise<Stage> {
    const [appSecret, verificationToken, encryptKey] = [
      randomSecret('app secret'),
      randomSecret('verification token'),
      randomSecret('encrypt key'),
    ]
    // Near the true time: a ticket's own time is compared with the store's clock.
    const clock = virtualClock({ wallMs: Date.now() })
    const redis = await startRedis()
    const apps = [{ appId: APP_ID, appSecret, verificationToken, encryptKey }]
    const platform = await startFeishuSimulator({ apps, clock, tokenLifeMs, pushTickets: 'manual' })
    return new Stage(redis, platform, clock, {
      APP_ID,
      APP_SECRET: appSecret,
      VERIFICATION_TOKEN: verificationToken,
      ENCRYPT_KEY: encryptKey,
      DOMAIN: platform.url,
      REDIS_URL: redis.url,
    })
  }

  /** An instance that has received the ticket. */
  async first(clocks: Clocks): Promise<Instance> {
    const first = await this.another(clocks)
    this.platform.setEventUrl(APP_ID, first.eventUrl)
    first.wasPushed()
    const { status } = await this.platform.pushTicket(APP_ID)
    if (status !== 200) throw new Error(`the ticket was answered with ${status}`)
    return first
  }

  async another(clocks: Clocks, aheadMs = 0): Promise<Instance> {
    const instance = await Instance.start(this.#env, clocks, aheadMs)
    this.#instances.push(instance)
    return instance
  }

  disable(tenantKey: string): void {
    this.platform.disableTenant(APP_ID, tenantKey)
  }

  enable(tenantKey: string): void {
    this.platform.enableTenant(APP_ID, tenantKey)
  }

  /** Time passes: for this instance, which is frozen, for the store and for the platform. */
  async pass(ms: number, frozen: Instance): Promise<void> {
    await frozen.pass(ms)
    await this.#clock.advance(ms)
    await moveDeadlines(this.admin, PREFIX, -ms)
  }

  /** Its call is over; it is frozen for so long, and thawed. */
  async frozenFor(ms: number, instance: Instance): Promise<void> {
    await instance.over()
    instance.freeze()
    await this.pass(ms, instance)
    instance.thaw()
  }

  /** What the platform was asked since then. */
  requestsSince(count: number): RequestRecord[] {
    return this.platform.requests.slice(count)
  }

  /** What is in the store of a tenant's token. */
  async recordOf(tenantKey: string) {
    const scope = `feishu/${encodeURIComponent(this.platform.url)}/${APP_ID}`
    const store = redisStore({ client: this.admin })
    const [snapshot] = await store.read([`${PREFIX}/${scope}/tenant-access-token/${tenantKey}`], { signal: AbortSignal.timeout(5_000) })
    if (snapshot === undefined) throw new Error('no answer')
    return snapshot
  }

  /** How many operations of the store there were. */
  async operations(): Promise<number> {
    const stats = await this.admin.info('commandstats')
    return [...stats.matchAll(/cmdstat_eval(?:sha)?:calls=(\d+)/g)].reduce((sum, [, calls]) => sum + Number(calls), 0)
  }

  async strike(): Promise<void> {
    for (const { output } of this.#instances) record('output of the function', output)
    await Promise.all(this.#instances.map((each) => each.stop()))
    this.admin.disconnect()
    await this.platform.close()
    await this.redis.stop()
  }
}
