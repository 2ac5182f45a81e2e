import { Agent, request } from 'node:http'
import { type DeliveryAttempt, type FeishuSimulatorOptions, startFeishuSimulator } from '@tokenwell/feishu-simulator'
import { describe, expect, it } from 'vitest'
import { callbackUrl } from './support/callback.ts'
import { APP, APP_TOKEN, afterTest, bench, credentials, HOUR, MINUTE, send, tokenOf, WHOAMI } from './support/client.ts'

describe('close', () => {
  it('ends requests, callbacks, timers and waits that are under way', async () => {
    const callback = await callbackUrl(() => {})
    const { sim, clock, mint } = await bench({ apps: [{ ...APP, eventUrl: callback.url }], pushTickets: 'scheduled' })
    sim.fault('app_access_token', { kind: 'hang' })
    const received = sim.next('request')
    const reply = mint()
    const push = sim.pushTicket('cli_one')
    const waiting = sim.next('delivery', () => false)
    await received
    const outcomes = Promise.allSettled([reply, waiting])
    await sim.close()
    expect((await outcomes).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect(await push).toMatchObject({ acknowledged: false, error: expect.stringMatching(/closed/) })
    expect(clock.pending).toBe(0)
    await expect(waiting).rejects.toThrow('the simulator was closed')
  })

  it('does not wait for a connection that is kept alive', async () => {
    const { sim } = await bench()
    const agent = new Agent({ keepAlive: true })
    afterTest(async () => agent.destroy())
    await new Promise((resolve, reject) => {
      request(`${sim.url}${WHOAMI}`, { agent }, (response) => response.resume().on('end', resolve))
        .on('error', reject)
        .end()
    })
    await sim.close()
    await sim.close()
    await expect(fetch(sim.url)).rejects.toThrow()
  })

  it('comes at the end of an await using block', async () => {
    let url: string
    {
      await using sim = await startFeishuSimulator({ apps: [APP] })
      url = sim.url
      expect((await fetch(url)).status).toBe(404)
    }
    await expect(fetch(url)).rejects.toThrow()
  })
})

describe('time', () => {
  const isFirstAttempt = ({ delivery }: DeliveryAttempt) => delivery.attempts.length === 1

  it('runs as many times faster as told, for tokens and for tickets', async () => {
    const beforeMs = performance.now()
    const sim = await startFeishuSimulator({ apps: [APP], speed: 360_000, ticketEveryMs: 2 * HOUR })
    afterTest(() => sim.close())
    const body = JSON.stringify({ ...credentials, app_ticket: sim.issueTicket('cli_one') })
    const reply = await send(sim.url + APP_TOKEN, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
    expect(reply.json.expire).toBe(7200)
    for (let tickets = 0; tickets < 3; tickets += 1) await sim.next('delivery', isFirstAttempt)
    expect(sim.judge(tokenOf(reply))).toBe('expired')
    expect(performance.now() - beforeMs).toBeGreaterThanOrEqual(20)
  })

  it('leaves a callback its three seconds also when it runs faster', async () => {
    const callback = await callbackUrl((response) => setImmediate(() => response.end()))
    const sim = await startFeishuSimulator({ apps: [{ ...APP, eventUrl: callback.url }], speed: 1_000_000, pushTickets: 'manual' })
    afterTest(() => sim.close())
    expect((await sim.pushTicket('cli_one')).acknowledged).toBe(true)
  })
})

describe('options', () => {
  it.each<[Partial<FeishuSimulatorOptions>, RegExp]>([
    [{ apps: [{ ...APP, appSecret: '' }] }, /apps\[0\]\.appSecret: expected a non-empty string/],
    [{ apps: [{ ...APP, signed: true }] }, /apps\[0\]\.signed/],
    [{ apps: [{ ...APP, encryptKey: '' }] }, /apps\[0\]\.encryptKey/],
    [{ apps: [{ ...APP, eventUrl: 'ftp://example.com' }] }, /apps\[0\]\.eventUrl: expected an http or https URL, got 'ftp/],
    [{ apps: [APP, APP] }, /'cli_one' is given twice/],
    [{ tokenLifeMs: 0 }, /tokenLifeMs: expected a number of at least 1000, got 0/],
    [{ ticketEveryMs: Number.NaN }, /ticketEveryMs: .* got NaN/],
    [{ userTokenLifeMs: 0 }, /userTokenLifeMs: expected a number of at least 1000, got 0/],
    [{ refreshTokenLifeMs: 0 }, /refreshTokenLifeMs: expected a number of at least 1000, got 0/],
    [{ codeLifeMs: 0 }, /codeLifeMs: expected a number of at least 1, got 0/],
    [{ apps: [{ ...APP, type: 'other' as 'store' }] }, /apps\[0\]\.type: expected 'store' or 'custom', got 'other'/],
    [{ apps: [{ ...APP, tenantKey: 'tenant' }] }, /apps\[0\]\.tenantKey: a custom app has one tenant/],
    [{ apps: [{ ...APP, type: 'custom', tenantKey: '' }] }, /apps\[0\]\.tenantKey: .* non-empty/],
    [{ speed: 0 }, /speed/],
    [{ behaviour: { ticketsKept: 0 } }, /behaviour\.ticketsKept/],
    [{ clock: { wall: () => 0, schedule: () => () => {} }, speed: 2 }, /give one of the two/],
  ])('are refused when wrong: %j', async (options, message) => {
    await expect(startFeishuSimulator({ apps: [APP], ...options })).rejects.toThrow(message)
  })

  it('say which port is taken', async () => {
    const { sim } = await bench()
    await expect(startFeishuSimulator({ apps: [APP], port: Number(new URL(sim.url).port) })).rejects.toThrow(/EADDRINUSE/)
  })

  it('let tokens live as long as told', async () => {
    const { clock, mint, sim } = await bench({ tokenLifeMs: HOUR })
    const token = tokenOf(await mint())
    clock.advance(30 * MINUTE)
    expect((await mint()).json.expire).toBe(1800)
    clock.advance(30 * MINUTE)
    expect(sim.judge(token)).toBe('expired')
  })

  it('let codes and the tokens of users live as long as told', async () => {
    const { sim, clock, authorize, refresh } = await bench({ codeLifeMs: 1000, userTokenLifeMs: HOUR, refreshTokenLifeMs: 2 * HOUR })
    const late = sim.issueCode('cli_one', 'user-1')
    const { json } = await authorize()
    expect(json).toMatchObject({ expires_in: 3600, refresh_token_expires_in: 7200 })
    clock.advance(1000)
    expect((await authorize(late)).json.code).toBe(20004)
    clock.advance(HOUR)
    expect(sim.judge(String(json.access_token))).toBe('expired')
    clock.advance(HOUR)
    expect((await refresh(json.refresh_token)).json.code).toBe(20037)
  })
})
