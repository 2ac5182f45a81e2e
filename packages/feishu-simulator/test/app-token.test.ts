import { describe, expect, it } from 'vitest'
import { APP_TOKEN, bench, credentials, HOUR, MINUTE, tokenOf } from './support/client.ts'

describe('POST /open-apis/auth/v3/app_access_token', () => {
  it('mints a token of two hours, with its remaining life in seconds', async () => {
    const { mint } = await bench()
    const reply = await mint()
    expect(reply.status).toBe(200)
    expect(reply.json).toEqual({ code: 0, msg: 'success', app_access_token: expect.stringMatching(/^a-\w{40}$/), expire: 7200 })
  })

  it('gives the same token back while 30 minutes are left, with the remaining life rounded down', async () => {
    const { clock, mint } = await bench()
    const first = await mint()
    clock.advance(90 * MINUTE - 1)
    expect((await mint()).json).toEqual({ ...first.json, expire: 1800 })
    clock.advance(1)
    expect((await mint()).json).toEqual({ ...first.json, expire: 1800 })
  })

  it('mints a new token below 30 minutes, and both are valid until their end', async () => {
    const { sim, clock, mint, whoami } = await bench()
    const first = tokenOf(await mint())
    clock.advance(90 * MINUTE + 1)
    const renewed = await mint()
    expect(tokenOf(renewed)).not.toBe(first)
    expect(renewed.json.expire).toBe(7200)
    expect([sim.judge(first), sim.judge(tokenOf(renewed))]).toEqual(['valid', 'valid'])
    clock.advance(30 * MINUTE - 1)
    expect([sim.judge(first), sim.judge(tokenOf(renewed))]).toEqual(['expired', 'valid'])
    expect((await whoami(first)).json.code).toBe(99991664)
    expect((await whoami(tokenOf(renewed))).json.code).toBe(0)
  })

  it('counts new tokens and same tokens apart', async () => {
    const { sim, mint } = await bench()
    await Promise.all(Array.from({ length: 5 }, () => mint()))
    expect(sim.counters()).toMatchObject({ requests: { app_access_token: 5 }, newTokens: { app: 1 }, sameTokens: { app: 4 } })
  })

  it.each([
    ['an unknown app', { ...credentials, app_id: 'cli_other', app_ticket: 'any' }, 10003],
    ['a wrong secret', { ...credentials, app_secret: 'wrong', app_ticket: 'any' }, 10014],
    ['no secret', { app_id: credentials.app_id, app_ticket: 'any' }, 10003],
    ['no ticket', credentials, 10003],
    ['an unknown ticket', { ...credentials, app_ticket: 'any' }, 10012],
    ['fields of wrong types', { app_id: 1, app_secret: [], app_ticket: {} }, 10003],
    ['a body that is no object', 'text', 10003],
  ])('refuses %s in the body, with HTTP status 200', async (_, fields, code) => {
    const { sim, post } = await bench()
    const reply = await post(APP_TOKEN, fields)
    expect(reply.status).toBe(200)
    expect(reply.json).toEqual({ code, msg: expect.any(String) })
    expect(sim.counters().errors).toEqual({ [code]: 1 })
  })

  it('refuses a body that is not sent as JSON', async () => {
    const { post } = await bench()
    expect((await post(APP_TOKEN, credentials, { headers: { 'content-type': 'text/plain' } })).json.code).toBe(10003)
  })

  it('refuses with HTTP status 400 where told to', async () => {
    const { mint } = await bench({ behaviour: { authErrorStatus: 400 } })
    expect(await mint('wrong')).toMatchObject({ status: 400, json: { code: 10012 } })
  })

  it('takes a path with a slash at its end, as older clients write it', async () => {
    const { post } = await bench()
    expect((await post(`${APP_TOKEN}/`, credentials)).json.code).toBe(10003)
  })

  it('carries a log id on every reply, which the log of requests knows', async () => {
    const { sim, mint } = await bench()
    const logIds = [await mint(), await mint('wrong')].map(({ headers }) => headers.get('x-tt-logid'))
    expect(new Set(logIds).size).toBe(2)
    expect(logIds).toEqual(sim.requests.map(({ logId }) => logId))
  })

  it('mints tokens of about 4 KB where told to', async () => {
    const { mint, whoami } = await bench({ behaviour: { tokenForm: 'jwt' } })
    const token = tokenOf(await mint())
    expect(token.length).toBeGreaterThan(3900)
    expect((await whoami(token)).json.code).toBe(0)
  })

  it('mints a new token every time when tokens live 30 minutes or less', async () => {
    const { sim, mint } = await bench({ tokenLifeMs: HOUR / 2 - 1 })
    expect(tokenOf(await mint())).not.toBe(tokenOf(await mint()))
    expect(sim.counters().newTokens.app).toBe(2)
  })
})

describe('tickets', () => {
  it('stay valid until they are invalidated', async () => {
    const { sim, clock, mint } = await bench()
    clock.advance(48 * HOUR)
    expect((await mint()).json.code).toBe(0)
    sim.invalidateTicket('cli_one')
    expect((await mint()).json.code).toBe(10012)
    expect((await mint(sim.issueTicket('cli_one'))).json.code).toBe(0)
  })

  it('can be invalidated one by one', async () => {
    const { sim, mint } = await bench()
    const [older, newer] = [sim.issueTicket('cli_one'), sim.issueTicket('cli_one')]
    sim.invalidateTicket('cli_one', newer)
    expect((await mint(newer)).json.code).toBe(10012)
    expect((await mint(older)).json.code).toBe(0)
  })

  it('end with their configured life', async () => {
    const { sim, clock, mint } = await bench({ behaviour: { ticketLifeMs: HOUR } })
    const ticket = sim.issueTicket('cli_one')
    clock.advance(HOUR - 1)
    expect((await mint(ticket)).json.code).toBe(0)
    clock.advance(1)
    expect((await mint(ticket)).json.code).toBe(10012)
  })

  it('are replaced by newer ones when only so many are kept', async () => {
    const { sim, mint } = await bench({ behaviour: { ticketsKept: 2 } })
    const [first, second, third] = [sim.issueTicket('cli_one'), sim.issueTicket('cli_one'), sim.issueTicket('cli_one')]
    expect((await mint(first)).json.code).toBe(10012)
    expect((await mint(second)).json.code).toBe(0)
    expect((await mint(third)).json.code).toBe(0)
  })
})
