import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as lark from '@larksuiteoapi/node-sdk'
import { type FeishuSimulator, type SimulatedApp, startFeishuSimulator } from '@tokenwell/feishu-simulator'
import { describe, expect, it } from 'vitest'
import { APP, afterTest, JSAPI_TICKET, SEALED_APP, WHOAMI } from './support/client.ts'

/** The official client with its own event dispatcher behind a real server, both as their documentation sets them up. */
async function officialClient(app: SimulatedApp) {
  const sim = await startFeishuSimulator({ apps: [app], pushTickets: 'manual' })
  afterTest(() => sim.close())
  const cache = new lark.DefaultCache()
  const quiet = { cache, logger: { error: () => {}, warn: () => {}, info: () => {}, debug: () => {}, trace: () => {} } }
  const { encryptKey = '', verificationToken } = app
  const dispatcher = new lark.EventDispatcher({ encryptKey, verificationToken, ...quiet })
  const receiver = createServer(lark.adaptDefault('/events', dispatcher, { autoChallenge: true }))
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve))
  afterTest(async () => {
    receiver.closeAllConnections()
    await new Promise((resolve) => receiver.close(resolve))
  })
  sim.setEventUrl(app.appId, `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/events`)
  const start = async () => {
    const delivered = sim.next('delivery')
    const { appId, appSecret } = app
    const client = new lark.Client({ appId, appSecret, appType: lark.AppType.ISV, domain: sim.url, ...quiet })
    await delivered
    return client
  }
  return { sim, start }
}

const whoami = (client: lark.Client, tenantKey = 'tenant-1') =>
  client.request({ method: 'GET', url: WHOAMI }, lark.withTenantKey(tenantKey))

const ticketsOf = (sim: FeishuSimulator) => sim.requests.flatMap(({ fields }) => fields.app_ticket ?? [])

describe('the official client, unmodified', () => {
  it.each([
    ['a plain', APP],
    ['an encrypted and signed', SEALED_APP],
  ])('asks for a ticket, takes it as %s event, and calls with a tenant token', async (_, app) => {
    const { sim, start } = await officialClient(app)
    const client = await start()
    expect(await whoami(client)).toEqual({
      code: 0,
      msg: 'success',
      data: { app_id: 'cli_one', token_type: 'tenant', tenant_key: 'tenant-1' },
    })
    expect(sim.counters('cli_one')).toMatchObject({
      requests: { app_ticket_resend: 1, app_access_token: 1, tenant_access_token: 1, api: 1 },
      newTokens: { app: 1, tenant: 1 },
      errors: {},
      tickets: { pushed: 1, acknowledged: 1 },
    })
  })

  it('gets a ticket of the JS SDK for a tenant', async () => {
    const { sim, start } = await officialClient(APP)
    const client = await start()
    const ticket = await client.request({ method: 'POST', url: JSAPI_TICKET }, lark.withTenantKey('tenant-1'))
    expect(ticket).toMatchObject({ code: 0, data: { ticket: expect.any(String), expire_in: expect.any(Number) } })
    expect(sim.counters('cli_one', { tenantKey: 'tenant-1' })).toMatchObject({ newTokens: { tenant: 1, jsapi: 1 }, errors: {} })
  })

  it('fetches an app token anew for each of its tenants', async () => {
    const { sim, start } = await officialClient(APP)
    const client = await start()
    for (const tenantKey of ['tenant-1', 'tenant-2', 'tenant-3']) await whoami(client, tenantKey)
    expect(sim.counters()).toMatchObject({ requests: { app_access_token: 3, tenant_access_token: 3 }, newTokens: { app: 1, tenant: 3 } })
  })

  it('fails with 99991662 in a tenant that has switched the app off', async () => {
    const { sim, start } = await officialClient(APP)
    const client = await start()
    sim.disableTenant('cli_one', 'tenant-1')
    await expect(whoami(client)).rejects.toThrow(/code: 99991662/)
  })

  it('echoes an encrypted challenge', async () => {
    const { sim } = await officialClient(SEALED_APP)
    expect(await sim.pushChallenge('cli_one')).toMatchObject({ status: 200, acknowledged: true })
  })

  it('takes a ticket in the v2 schema', async () => {
    const { sim, start } = await officialClient(SEALED_APP)
    const client = await start()
    const { delivery } = await sim.pushTicket('cli_one', { schema: 'v2' })
    await whoami(client)
    expect(ticketsOf(sim)).toEqual([delivery.ticket])
  })

  it('drops an event with a wrong signature, and acknowledges it all the same', async () => {
    const { sim, start } = await officialClient(SEALED_APP)
    const client = await start()
    const good = await sim.pushTicket('cli_one')
    expect((await sim.pushTicket('cli_one', { ticket: 'forged', encrypted: false, encryptKey: 'wrong' })).acknowledged).toBe(true)
    await whoami(client)
    expect(ticketsOf(sim)).toEqual([good.delivery.ticket])
  })

  it('takes a plain ticket with a wrong verification token', async () => {
    const { sim, start } = await officialClient(APP)
    const client = await start()
    await sim.pushTicket('cli_one', { ticket: 'forged', token: 'wrong' })
    await expect(whoami(client)).rejects.toThrow(/code: 10012/)
    expect(ticketsOf(sim)).toEqual(['forged'])
  })

  it('lets an older ticket that is delivered again replace a newer one', async () => {
    const { sim, start } = await officialClient(SEALED_APP)
    const client = await start()
    const older = await sim.pushTicket('cli_one')
    await sim.pushTicket('cli_one')
    await sim.redeliver(older.delivery)
    await whoami(client)
    expect(ticketsOf(sim)).toEqual([older.delivery.ticket])
  })

  it('asks for a ticket once for itself and once for each call while it has none', async () => {
    const { sim, start } = await officialClient(SEALED_APP)
    sim.setEventUrl('cli_one', 'http://127.0.0.1:1/nobody')
    const client = await start()
    const calls = Array.from({ length: 20 }, () => whoami(client).catch((error) => error.response.data.code))
    expect(new Set(await Promise.all(calls))).toEqual(new Set([99991671]))
    expect(sim.counters().resends).toBe(21)
  })

  it('fails with 10012 once its ticket is invalid', async () => {
    const { sim, start } = await officialClient(APP)
    const client = await start()
    sim.invalidateTicket('cli_one')
    await expect(whoami(client)).rejects.toThrow('failed to get app_access_token, code: 10012, msg: app ticket invalid')
  })

  it('goes on using a tenant token that was revoked', async () => {
    const { sim, start } = await officialClient(APP)
    const client = await start()
    await whoami(client)
    sim.revoke('cli_one', { next: 'new', tenantKey: 'tenant-1' })
    for (let call = 0; call < 2; call += 1) {
      await expect(whoami(client)).rejects.toMatchObject({ response: { status: 400, data: { code: 99991663 } } })
    }
    expect(sim.counters().requests.tenant_access_token).toBe(1)
  })

  it('mints once for each of twenty concurrent first calls', async () => {
    const { sim, start } = await officialClient(APP)
    const client = await start()
    await Promise.all(Array.from({ length: 20 }, () => whoami(client)))
    expect(sim.counters()).toMatchObject({
      requests: { app_access_token: 20, tenant_access_token: 20 },
      newTokens: { app: 1, tenant: 1 },
      sameTokens: { app: 19, tenant: 19 },
    })
  })
})
