/** A function that is frozen between two calls: no timer runs then, and nothing is heard. What it begins it ends before. */
import { setTimeout as passed } from 'node:timers/promises'
import { isTokenError } from '@tokenwell/core'
import { createFeishuTokens, createWebEventHandler, feishuFetch } from '@tokenwell/core/feishu'
import { redisStore } from '@tokenwell/store-redis'
import { Redis } from 'ioredis'

/** What a host gives with each call: it freezes the function when all of this has ended. */
export interface Context {
  waitUntil(work: Promise<unknown>): void
}

const { APP_ID = '', APP_SECRET = '', VERIFICATION_TOKEN = '', ENCRYPT_KEY = '', DOMAIN = 'feishu' } = process.env

const redis = new Redis(process.env.REDIS_URL ?? 'redis://127.0.0.1:6379')
redis.on('error', ({ message }) => console.error('Redis:', message))
// Without announcements: a connection less for each instance, and what a frozen one was told it hears too late.
const { subscribe: _, ...store } = redisStore({ client: redis })
const tokens = createFeishuTokens({
  appId: APP_ID,
  appSecret: APP_SECRET,
  domain: DOMAIN,
  store,
  events: { verificationToken: VERIFICATION_TOKEN, encryptKey: ENCRYPT_KEY },
})
const handleEvent = createWebEventHandler(tokens, { onError: console.error })

/** The longest that is waited for a renewal: as long as it may take. Milliseconds. */
const LONGEST_MS = 10_000

/** Resolves when no renewal is under way. One that is frozen keeps its lease, and another instance would have to wait for its end. */
async function settled(): Promise<void> {
  const isUnderWay = () => tokens.status().some(({ state, holder }) => holder || state === 'claiming')
  for (const began = Date.now(); isUnderWay() && Date.now() - began < LONGEST_MS; await passed(10));
}

/** Who is this company? Asked with the company's own token. */
async function company(tenantKey: string): Promise<Response> {
  try {
    const reply = await feishuFetch(tokens, { tenantKey })('/open-apis/tenant/v2/tenant/query')
    return Response.json(await reply.json(), { status: reply.ok ? 200 : 502 })
  } catch (error) {
    return Response.json({ error: isTokenError(error) ? error.code : 'the platform cannot be reached' }, { status: 503 })
  }
}

export async function handler(request: Request, context: Context): Promise<Response> {
  const { pathname } = new URL(request.url)
  if (pathname === '/feishu/events') return handleEvent(request)
  const [, tenantKey] = /^\/companies\/([\w-]{1,64})$/.exec(pathname) ?? []
  if (tenantKey === undefined) return new Response(null, { status: 404 })
  const reply = await company(tenantKey)
  context.waitUntil(settled())
  return reply
}
