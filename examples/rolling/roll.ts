/** A rolling restart: four processes under load are replaced one by one, each at the worst moment, while their tokens fall due. */
import { randomBytes } from 'node:crypto'
import { type FeishuSimulator, startFeishuSimulator } from '@tokenwell/feishu-simulator'
import { redisStore } from '@tokenwell/store-redis'
import { startRedis } from '@tokenwell/test-servers'
import { Redis } from 'ioredis'
import { type Balancer, startBalancer } from './balancer.ts'
import type { Figures } from './figures.ts'
import { Load } from './load.ts'
import { mintsIn } from './mints.ts'
import { type Line, Process } from './process.ts'
import { PATHS } from './settings.ts'

export interface RollOptions {
  /** How processes are told to end. Default `SIGTERM`. With `SIGKILL` they cannot do anything about it: then the figures must show it. */
  readonly signal?: 'SIGTERM' | 'SIGKILL'
  /** Makes the secrets of the app. */
  readonly secret?: (label: string) => string
  /** Told of everything that a process has printed, when it has ended. */
  readonly onOutput?: (output: string) => void
}

const PROCESSES = 4

/**
 * Of a token, milliseconds. It is renewed in the second half of it, which here comes soon enough to be watched. With less than 30 s left on its
 * arrival it would not be shared.
 */
const LIFE_MS = 33_000
/** How long the platform takes for a token: long enough to be ended meanwhile, and drained before that. */
const PLATFORM_MS = 2_000
/** The balancer here notices at once, on a machine that has time for it. */
const DRAIN_MS = 1_200
/** How long an old process is left alone until one of them is granted a lease. */
const WORST_MOMENT_MS = 5_000
/** Longer than a lease, 8 s. */
const LEASE_MS = 12_000

export async function roll({
  signal = 'SIGTERM',
  secret = () => randomBytes(16).toString('hex'),
  onOutput = () => {},
}: RollOptions = {}): Promise<Figures> {
  const ends: (() => Promise<unknown>)[] = []
  try {
    const redis = await startRedis()
    ends.unshift(() => redis.stop())
    const app = {
      appId: 'cli_rolling',
      appSecret: secret('app secret'),
      verificationToken: secret('verification token'),
      encryptKey: secret('encrypt key'),
    }
    const platform = await startFeishuSimulator({ apps: [app], tokenLifeMs: LIFE_MS, pushTickets: 'manual' })
    ends.unshift(() => platform.close())
    const balancer = await startBalancer()
    ends.unshift(() => balancer.stop())
    platform.setEventUrl(app.appId, balancer.url + PATHS.events)
    for (const endpoint of ['app_access_token', 'tenant_access_token'] as const) {
      platform.fault(endpoint, { kind: 'delay', ms: PLATFORM_MS }, { times: Number.POSITIVE_INFINITY })
    }
    const fleet = new Fleet(balancer, {
      REDIS_URL: redis.url,
      DRAIN_MS: String(DRAIN_MS),
      APP_ID: app.appId,
      APP_SECRET: app.appSecret,
      VERIFICATION_TOKEN: app.verificationToken,
      ENCRYPT_KEY: app.encryptKey,
      DOMAIN: platform.url,
    })
    ends.unshift(() => fleet.stop())
    const figures = await measure({ fleet, platform, balancer, redisUrl: redis.url, signal })
    for (const { output } of fleet.all) onOutput(output)
    return figures
  } finally {
    for (const end of ends) await end()
  }
}

interface Stage {
  readonly fleet: Fleet
  readonly platform: FeishuSimulator
  readonly balancer: Balancer
  readonly redisUrl: string
  readonly signal: 'SIGTERM' | 'SIGKILL'
}

async function measure({ fleet, platform, balancer, redisUrl, signal }: Stage): Promise<Figures> {
  const began = performance.now()
  const old = await Promise.all(Array.from({ length: PROCESSES }, () => fleet.add()))
  const load = new Load(balancer.url)
  await fleet.heard('a token is renewed', ({ type, key }) => type === 'granted' && fleet.published.has(key ?? ''))

  const before = platform.requests.length
  const left: Process[] = []
  while (left.length < PROCESSES) {
    await fleet.add()
    const leaving = await fleet.granted(
      old.filter((each) => !left.includes(each)),
      WORST_MOMENT_MS,
    )
    await fleet.end(leaving, signal)
    left.push(leaving)
  }
  const renewals = platform.requests.slice(before).filter(({ effect }) => effect === 'new-token').length
  // Nobody has given their leases back: somebody takes them over.
  if (signal === 'SIGKILL' && fleet.takeovers === 0)
    await fleet.heard('a lease is taken over', ({ takeover }) => takeover === true, LEASE_MS)

  const tally = await load.end()
  await Promise.all(fleet.running.map((each) => fleet.end(each, 'SIGTERM')))
  return {
    ...tally,
    ...mintsIn(platform.requests, LIFE_MS),
    renewals,
    endedInFetch: left.filter((each) => each.endedInFetch).length,
    takeovers: fleet.takeovers,
    leasesLeft: await leasesIn(redisUrl, [...fleet.published]),
    exits: await Promise.all(fleet.all.map(({ ended }) => ended)),
    tookMs: performance.now() - began,
  }
}

/** How many of these keys have a live lease. */
async function leasesIn(url: string, keys: readonly string[]): Promise<number> {
  const client = new Redis(url)
  const store = redisStore({ client })
  try {
    const operation = { signal: AbortSignal.timeout(5_000) }
    const records = await store.read(
      keys.map((key) => `tokenwell/${key}`),
      operation,
    )
    return records.filter(({ lease }) => lease !== undefined).length
  } finally {
    await store.close()
    client.disconnect()
  }
}

/** The processes behind the balancer. */
class Fleet {
  readonly all: Process[] = []
  /** Keys of which there is a token. */
  readonly published = new Set<string>()
  takeovers = 0
  readonly #balancer: Balancer
  readonly #env: Readonly<Record<string, string>>
  readonly #gone = new Set<Process>()
  readonly #hearers = new Set<(line: Line, url: string) => void>()

  constructor(balancer: Balancer, env: Readonly<Record<string, string>>) {
    this.#balancer = balancer
    this.#env = env
  }

  get running(): Process[] {
    return this.all.filter((each) => !this.#gone.has(each))
  }

  /** Starts one more, and takes it in once it is ready. */
  async add(): Promise<Process> {
    const added = await Process.start(this.#env, (line, url) => this.#hear(line, url))
    this.all.push(added)
    this.#balancer.present.add(added.url)
    await added.says(true)
    this.#balancer.ready.add(added.url)
    return added
  }

  /** The first of these that is granted a lease, or, if none is in this time, the first of all. */
  async granted(candidates: readonly Process[], withinMs: number): Promise<Process> {
    let found = candidates[0] as Process // There is one: that is why they are asked.
    const isOne = ({ type }: Line, url: string) => {
      const its = type === 'granted' ? candidates.find((each) => each.url === url) : undefined
      found = its ?? found
      return its !== undefined
    }
    await this.heard('one of the old is granted a lease', isOne, withinMs).catch(() => {})
    return found
  }

  /** Tells it to end, takes it out as soon as that shows, and waits for its end. */
  async end(process: Process, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    process.signal(signal)
    if (signal === 'SIGTERM') await process.says(false)
    this.#balancer.ready.remove(process.url)
    this.#balancer.present.remove(process.url)
    await process.ended
    this.#gone.add(process)
  }

  /** Resolves when a process prints such a line. */
  async heard(what: string, fits: (line: Line, url: string) => boolean, withinMs = 30_000): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const overdue = setTimeout(() => reject(new Error(`${what}: not within ${withinMs} ms`)), withinMs)
    const look = (line: Line, url: string) => {
      if (fits(line, url)) resolve()
    }
    this.#hearers.add(look)
    try {
      await promise
    } finally {
      clearTimeout(overdue)
      this.#hearers.delete(look)
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.all.map((each) => each.stop()))
  }

  #hear(line: Line, url: string): void {
    if (line.takeover === true) this.takeovers += 1
    for (const look of this.#hearers) look(line, url)
    // Only now: who is told of a grant can see whether it is the first for its key.
    if (line.type === 'published') this.published.add(line.key ?? '')
  }
}
