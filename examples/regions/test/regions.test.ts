import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { type AppTicketInput, createFeishuTokens, createNodeEventHandler, type FeishuTokens } from '@tokenwell/core/feishu'
import { startFeishuSimulator } from '@tokenwell/feishu-simulator'
import { memoryStore } from '@tokenwell/store-memory'
import { flaky, virtualClock } from '@tokenwell/testkit'
import { expect, onTestFinished, test } from 'vitest'
import { randomSecret } from '../../../tools/leak-search/index.ts'
import { receiveForAll } from '../forward.ts'

const APP_ID = 'cli_regions'

async function listen(listener: RequestListener, port = 0): Promise<Server> {
  const server = createServer(listener).listen(port, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => stop(server))
  return server
}

async function stop(server: Server): Promise<void> {
  if (!server.listening) return
  const closed = once(server, 'close')
  server.close()
  server.closeAllConnections()
  await closed
}

const portOf = (server: Server) => (server.address() as AddressInfo).port
const eventUrl = (server: Server) => `http://127.0.0.1:${portOf(server)}/feishu/events`

/** The endpoint of the region that the platform pushes to. */
function forwarding(tokens: FeishuTokens, others: readonly string[]): RequestListener {
  return async (incoming, outgoing) => {
    const headers = new Headers(Object.entries(incoming.headers).map(([name, value]): [string, string] => [name, String(value)]))
    const request = new Request('http://localhost/feishu/events', { method: 'POST', headers, body: new Uint8Array(await buffer(incoming)) })
    const { status, headers: answered, body } = await receiveForAll(tokens, request, others)
    outgoing.writeHead(status, answered).end(body)
  }
}

/** Two regions, each with a store of its own, and one platform that pushes to region A alone. */
async function twoRegions() {
  const [appSecret, verificationToken, encryptKey] = [
    randomSecret('app secret'),
    randomSecret('verification token'),
    randomSecret('encrypt key'),
  ]
  // Near the true time: a ticket's own time is compared with the store's clock.
  const clock = virtualClock({ wallMs: Date.now() })
  const apps = [{ appId: APP_ID, appSecret, verificationToken, encryptKey }]
  const platform = await startFeishuSimulator({ apps, clock, pushTickets: 'manual' })
  onTestFinished(() => platform.close())

  function region() {
    const store = flaky(memoryStore(), clock)
    const tokens = createFeishuTokens({ appId: APP_ID, appSecret, domain: platform.url, store, events: { verificationToken, encryptKey } })
    onTestFinished(() => tokens.close())
    return { store, tokens }
  }
  const [a, b] = [region(), region()]
  let received = 0
  const takeIn = createNodeEventHandler(b.tokens)
  const endpointOfB: RequestListener = (request, response) => {
    received += 1
    return takeIn(request, response)
  }
  let serverB = await listen(endpointOfB)
  const portOfB = portOf(serverB)
  const serverA = await listen(forwarding(a.tokens, [eventUrl(serverB)]))
  platform.setEventUrl(APP_ID, eventUrl(serverA))
  return {
    platform,
    clock,
    a,
    b: {
      ...b,
      /** How many requests have come to its endpoint. */
      received: () => received,
      stop: () => stop(serverB),
      async start() {
        serverB = await listen(endpointOfB, portOfB)
      },
    },
    urlOfA: eventUrl(serverA),
  }
}

test('a ticket that something else has parsed can be handed on by itself, also twice', async () => {
  const { platform, a, b } = await twoRegions()
  const message = JSON.stringify({ ticket: platform.issueTicket(APP_ID), eventTime: String(Date.now() / 1_000), id: 'event-1' })
  const takeIn = ({ tokens }: { readonly tokens: FeishuTokens }) => tokens.acceptAppTicket(JSON.parse(message) as AppTicketInput)
  expect([await takeIn(a), await takeIn(b), await takeIn(b)]).toEqual(['accepted', 'accepted', 'accepted'])
  expect(platform.judge(await b.tokens.appAccessToken())).toBe('valid')
  expect(b.received()).toBe(0)
})

test('a ticket that was pushed to region A alone gives region B its token', async () => {
  const { platform, a, b } = await twoRegions()
  expect(await platform.pushTicket(APP_ID)).toMatchObject({ status: 200, acknowledged: true })
  for (const { tokens } of [a, b]) expect(platform.judge(await tokens.appAccessToken())).toBe('valid')
  // Each has asked for itself, once: they share no store.
  expect(platform.counters(APP_ID).requests.app_access_token).toBe(2)
  expect(platform.counters(APP_ID).requests.app_ticket_resend).toBe(0)
})

test('a region that has no ticket asks for one, which is pushed to the other one', async () => {
  const { platform, b } = await twoRegions()
  const pushed = platform.next('delivery')
  const ready = b.tokens.ready()
  await platform.next('reply', ({ endpoint }) => endpoint === 'app_ticket_resend')
  expect(await pushed).toMatchObject({ acknowledged: true })
  await ready
})

test('while region B is down, region A has its token, and the platform delivers again until B has it, too', async () => {
  const { platform, clock, a, b } = await twoRegions()
  await b.stop()
  const { status, delivery } = await platform.pushTicket(APP_ID)
  expect(status).toBe(503)
  expect(platform.judge(await a.tokens.appAccessToken())).toBe('valid')

  await b.start()
  const again = platform.next('delivery')
  await clock.advance(15_000)
  expect(await again).toMatchObject({ delivery: { uuid: delivery.uuid }, status: 200, acknowledged: true })
  expect(platform.judge(await b.tokens.appAccessToken())).toBe('valid')
})

test('while the store of region A is down, region B has its ticket all the same', async () => {
  const { platform, a, b } = await twoRegions()
  a.store.always('publish', { kind: 'throw' })
  expect(await platform.pushTicket(APP_ID)).toMatchObject({ status: 503, acknowledged: false })
  expect(platform.judge(await b.tokens.appAccessToken())).toBe('valid')
})

test('what is forged goes no further, and neither do events of the app', async () => {
  const { platform, b, urlOfA } = await twoRegions()
  const { headers, body } = platform.buildEvent(APP_ID, { type: 'app_ticket', app_ticket: 'forged' }, { encryptKey: 'another key' })
  expect((await fetch(urlOfA, { method: 'POST', headers, body })).status).toBe(401)
  expect(await platform.pushEvent(APP_ID, { type: 'app_open', tenant_key: 'acme' })).toMatchObject({ status: 200 })
  expect(b.received()).toBe(0)
})

test('a region that is asked too late counts as down: the platform has its answer within its 3 s', async () => {
  const { platform, a } = await twoRegions()
  const silent = await listen(() => {})
  const slow = await listen(forwarding(a.tokens, [eventUrl(silent)]))
  platform.setEventUrl(APP_ID, eventUrl(slow))
  expect(await platform.pushTicket(APP_ID)).toMatchObject({ status: 503 })
})
