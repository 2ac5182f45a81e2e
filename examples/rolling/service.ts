/** A service that can be replaced under load: it begins to serve when it has a token, and ends without losing a request or a fetch. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { setTimeout as passed } from 'node:timers/promises'
import { isTokenError } from '@tokenwell/core'
import { createFeishuTokens, createNodeEventHandler, feishuFetch } from '@tokenwell/core/feishu'
import { redisStore } from '@tokenwell/store-redis'
import { Redis } from 'ioredis'
import { app, drainMs, GRACE_MS, LAST_REQUESTS_MS, PATHS, port, redisUrl } from './settings.ts'

/** For a log that is searched: one JSON object a line. An error of Tokenwell holds no secret. */
const log = (line: object) => console.log(JSON.stringify(line))

const redis = new Redis(redisUrl)
redis.on('error', ({ message }) => log({ type: 'redis-error', message }))
const tokens = createFeishuTokens({ ...app, store: redisStore({ client: redis }) })
tokens.listen({ onEvent: log })
const handleEvent = createNodeEventHandler(tokens, { onError: (error) => log({ type: 'event-failed', message: String(error) }) })

let leaving = false

/** A balancer asks every few seconds, and wants its answer soon. */
async function isReady(): Promise<boolean> {
  if (leaving) return false
  return tokens.ready({ timeoutMs: 1_000 }).then(
    () => true,
    () => false,
  )
}

/** Who is this company? Asked with the company's own token. */
async function company(tenantKey: string): Promise<{ status: number; body: unknown }> {
  try {
    const reply = await feishuFetch(tokens, { tenantKey })('/open-apis/tenant/v2/tenant/query')
    return { status: reply.ok ? 200 : 502, body: await reply.json() }
  } catch (error) {
    return { status: 503, body: { error: isTokenError(error) ? error.code : 'the platform cannot be reached' } }
  }
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  // A connection that is kept would lead here until the end.
  if (leaving) response.setHeader('connection', 'close')
  const path = request.url ?? ''
  const [, tenantKey] = /^\/companies\/([\w-]{1,64})$/.exec(path) ?? []
  if (path === PATHS.live) response.end()
  else if (path === PATHS.ready) response.writeHead((await isReady()) ? 200 : 503).end()
  else if (path === PATHS.events) await handleEvent(request, response)
  else if (tenantKey === undefined) response.writeHead(404).end()
  else {
    const { status, body } = await company(tenantKey)
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  }
}

const server = createServer((request, response) => void answer(request, response))
// Whoever closes an idle connection may do so just when a request is on its way: that is to be the balancer, most of which wait for a minute.
server.keepAliveTimeout = 65_000

/** Nothing is lost, and nothing is left that keeps the process alive: it ends by itself, with 0. */
async function leave(): Promise<void> {
  leaving = true
  log({ type: 'draining' })
  await passed(drainMs)
  const closed = once(server, 'close')
  server.close()
  server.closeIdleConnections()
  await Promise.race([closed, passed(LAST_REQUESTS_MS, undefined, { ref: false })])
  server.closeAllConnections()
  log({ type: 'closing' })
  await tokens.close({ graceMs: GRACE_MS })
  await redis.quit()
  log({ type: 'closed' })
}

process.once('SIGTERM', () => void leave())
server.listen(port, () => log({ type: 'listening' }))
