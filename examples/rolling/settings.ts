/** What the service takes from its environment, and the times of its end. `kubernetes.yaml` is held against them by a test. */
const { env } = process

export const port = Number(env.PORT ?? 3000)
export const redisUrl = env.REDIS_URL ?? 'redis://127.0.0.1:6379'

/** From SIGTERM on it serves this much longer: what the balancer needs to notice that it leaves. Milliseconds. */
export const drainMs = Number(env.DRAIN_MS ?? 10_000)
/** Then requests under way have so long to be answered, */
export const LAST_REQUESTS_MS = 5_000
/** and a fetch in flight so long to end and be shared. */
export const GRACE_MS = 5_000

export const app = {
  appId: env.APP_ID ?? '',
  appSecret: env.APP_SECRET ?? '',
  domain: env.DOMAIN ?? 'feishu',
  events: { verificationToken: env.VERIFICATION_TOKEN ?? '', encryptKey: env.ENCRYPT_KEY ?? '' },
}

export const PATHS = { live: '/livez', ready: '/readyz', events: '/feishu/events' } as const
