import type { Fault } from '@tokenwell/feishu-simulator'
import { describe, expect, it } from 'vitest'
import { APP_TOKEN, bench, HOUR, RESEND, send } from './support/client.ts'

describe('a fault in place of the answer', () => {
  it.each<[string, Fault, object]>([
    ['an HTTP status', { kind: 'status', status: 503 }, { status: 503, text: 'HTTP 503' }],
    ['an HTTP status with a body', { kind: 'status', status: 500, body: 'down' }, { status: 500, text: 'down' }],
    ['a page of HTML', { kind: 'html' }, { status: 200, text: expect.stringMatching(/^<!DOCTYPE html>/) }],
    ['an empty body', { kind: 'empty' }, { status: 200, text: '' }],
    ['a code', { kind: 'code', code: 20050, msg: 'busy' }, { status: 200, json: { code: 20050, msg: 'busy' } }],
    ['a code with an HTTP status', { kind: 'code', code: 10012, status: 400 }, { status: 400, json: { code: 10012 } }],
    ['a rate limit', { kind: 'rate-limit', resetSeconds: 7 }, { status: 429, json: { code: 99991400 } }],
  ])('is %s, and nothing is minted', async (_, fault, reply) => {
    const { sim, mint } = await bench()
    sim.fault('app_access_token', fault)
    const struck = await mint()
    expect(struck).toMatchObject(reply)
    expect(struck.headers.get('x-tt-logid')).toBe(sim.requests[0]?.logId)
    expect(sim.counters().newTokens.app).toBe(0)
    expect((await mint()).json.code).toBe(0)
  })

  it('says when a rate limit ends, with HTTP status 400 where told to', async () => {
    const { sim, mint } = await bench({ behaviour: { rateLimitStatus: 400 } })
    sim.fault('*', { kind: 'rate-limit', resetSeconds: 7 })
    const reply = await mint()
    expect(reply.status).toBe(400)
    expect(reply.headers.get('x-ogw-ratelimit-reset')).toBe('7')
  })

  it('redirects to another origin', async () => {
    const { sim, mint } = await bench()
    sim.fault('app_access_token', { kind: 'redirect', location: 'http://elsewhere.invalid/token', status: 307 })
    const reply = await mint(undefined, { redirect: 'manual' })
    expect(reply.status).toBe(307)
    expect(reply.headers.get('location')).toBe('http://elsewhere.invalid/token')
  })
})

describe('a fault that distorts the answer', () => {
  it('cuts its JSON off', async () => {
    const { sim, mint } = await bench()
    sim.fault('app_access_token', { kind: 'truncated' })
    const { text } = await mint()
    expect(text).toMatch(/^\{"code":0,/)
    expect(() => JSON.parse(text)).toThrow(SyntaxError)
  })

  it('gives its fields wrong types', async () => {
    const { sim, mint } = await bench()
    sim.fault('app_access_token', { kind: 'wrong-types' })
    expect((await mint()).json).toEqual({ code: 0, msg: null, app_access_token: 42, expire: [7200] })
  })

  it('leaves the token out, which was minted all the same', async () => {
    const { sim, mint } = await bench()
    sim.fault('app_access_token', { kind: 'missing-token' })
    expect((await mint()).json).toEqual({ code: 0, msg: 'success', expire: 7200 })
    expect(sim.counters()).toMatchObject({ newTokens: { app: 1 }, errors: {} })
  })

  it.each([[undefined], [0], [-1], ['7200'], [1e12], [0.5]])('sets expire to %j', async (value) => {
    const { sim, mint } = await bench()
    sim.fault('app_access_token', value === undefined ? { kind: 'expire' } : { kind: 'expire', value })
    const { json } = await mint()
    expect(json).toMatchObject({ code: 0, app_access_token: expect.any(String) })
    expect(json.expire).toBe(value)
  })

  it('pads it to 5 MB', async () => {
    const { sim, mint } = await bench()
    sim.fault('app_access_token', { kind: 'huge' })
    const { text, json } = await mint()
    expect(text.length).toBeGreaterThan(5 * 1024 * 1024)
    expect(json.code).toBe(0)
  })

  it('leaves a refusal as it is', async () => {
    const { sim, mint } = await bench()
    sim.fault('app_access_token', { kind: 'expire', value: 0 })
    expect((await mint('wrong')).json).toEqual({ code: 10012, msg: 'app ticket invalid' })
  })
})

describe('a fault of timing', () => {
  it('holds a request back on the clock, before anything is minted', async () => {
    const { sim, clock, mint } = await bench()
    sim.fault('app_access_token', { kind: 'delay', ms: 5000 })
    const held = sim.next('held')
    const reply = mint()
    await held
    clock.advance(4999)
    expect(sim.counters()).toMatchObject({ newTokens: { app: 0 }, inFlight: { app_access_token: 1 } })
    clock.advance(1)
    expect((await reply).json.expire).toBe(7200)
  })

  it('holds a reply back, so that its expire is out of date when it arrives', async () => {
    const { sim, clock, mint } = await bench()
    sim.fault('app_access_token', { kind: 'delay', ms: HOUR, at: 'reply' })
    const held = sim.next('held')
    const reply = mint()
    await held
    expect(sim.counters().newTokens.app).toBe(1)
    clock.advance(HOUR)
    expect((await reply).json.expire).toBe(7200)
    expect((await mint()).json.expire).toBe(3600)
  })

  it('hangs until it is released, then answers', async () => {
    const { sim, mint } = await bench()
    const fault = sim.fault('app_access_token', { kind: 'hang' }, { times: Number.POSITIVE_INFINITY })
    const held = sim.next('held')
    const reply = mint()
    await held
    expect(fault.hits).toBe(1)
    fault.release()
    expect((await reply).json.code).toBe(0)
    expect((await mint()).json.code).toBe(0)
    expect(fault).toMatchObject({ hits: 1, left: 0 })
  })

  it.each(['request', 'reply'] as const)('hangs at the %s until the client leaves', async (at) => {
    const { sim, mint } = await bench()
    sim.fault('app_access_token', { kind: 'hang', at })
    const held = sim.next('held')
    const ended = sim.next('reply')
    const leaving = new AbortController()
    const reply = mint(undefined, { signal: leaving.signal })
    await held
    leaving.abort()
    await expect(reply).rejects.toThrow(/abort/)
    const record = await ended
    expect(record.end).toBe('client-left')
    expect(record.status).toBeUndefined()
    expect(sim.counters()).toMatchObject({ newTokens: { app: at === 'reply' ? 1 : 0 }, inFlight: { app_access_token: 0 } })
  })

  it.each(['request', 'reply'] as const)('resets the connection at the %s', async (at) => {
    const { sim, mint } = await bench()
    sim.fault('app_access_token', { kind: 'reset', at })
    await expect(mint()).rejects.toMatchObject({ cause: { code: 'ECONNRESET' } })
    expect(sim.requests[0]?.end).toBe('reset')
    expect(sim.counters().newTokens.app).toBe(at === 'reply' ? 1 : 0)
  })

  it('sends headers at once and the body in ten pieces on the clock', async () => {
    const { sim, clock, mint } = await bench()
    sim.fault('app_access_token', { kind: 'slow-body', ms: 10_000 })
    let held = sim.next('held')
    const reply = mint()
    for (let piece = 1; piece <= 10; piece += 1) {
      await held
      expect(sim.requests[0]).toMatchObject({ end: 'open', status: 200 })
      held = sim.next('held')
      clock.advance(1000)
    }
    expect((await reply).json).toMatchObject({ code: 0, expire: 7200 })
    expect(sim.requests[0]).toMatchObject({ end: 'replied', endedAtMs: clock.wall() })
  })
})

describe('a slow body', () => {
  it('stops when the client leaves', async () => {
    const { sim, clock, mint } = await bench()
    sim.fault('app_access_token', { kind: 'slow-body', ms: 10_000 })
    let pieces = 0
    sim.on('held', () => (pieces += 1))
    const held = sim.next('held')
    const ended = sim.next('reply')
    const leaving = new AbortController()
    const reply = mint(undefined, { signal: leaving.signal })
    await held
    leaving.abort()
    await expect(reply).rejects.toThrow(/abort/)
    expect((await ended).end).toBe('client-left')
    expect([pieces, clock.pending]).toEqual([1, 0])
  })
})

describe('a script of faults', () => {
  it('strikes as many requests as it says, in the order set, one fault a request', async () => {
    const { sim, mint } = await bench()
    const first = sim.fault('app_access_token', { kind: 'code', code: 1 }, { times: 2 })
    sim.fault('*', { kind: 'code', code: 2 })
    const codes = []
    for (let call = 0; call < 4; call += 1) codes.push((await mint()).json.code)
    expect(codes).toEqual([1, 1, 2, 0])
    expect(first).toMatchObject({ hits: 2, left: 0 })
    expect(sim.requests.map(({ fault }) => fault?.kind)).toEqual(['code', 'code', 'code', undefined])
    expect(sim.counters().errors).toEqual({ 1: 2, 2: 1 })
  })

  it('strikes the endpoint or path it names and no other', async () => {
    const { sim, mint, resend, whoami } = await bench()
    sim.fault('api', { kind: 'code', code: 1 })
    sim.fault(RESEND, { kind: 'code', code: 2 })
    expect((await mint()).json.code).toBe(0)
    expect((await resend()).json.code).toBe(2)
    expect((await whoami('a-any')).json.code).toBe(1)
  })

  it('can be ended', async () => {
    const { sim, mint } = await bench()
    sim.fault('*', { kind: 'html' }, { times: 5 })
    await mint()
    sim.clearFaults()
    expect((await mint()).json.code).toBe(0)
    expect(sim.counters().errors).toEqual({ 'http-200': 1 })
  })

  it('refuses a target it does not know and a count that is none', async () => {
    const { sim } = await bench()
    expect(() => sim.fault('app_token' as 'api', { kind: 'html' })).toThrow(/expected one of app_access_token, .* got 'app_token'/)
    expect(() => sim.fault('api', { kind: 'html' }, { times: 0 })).toThrow(/above 0/)
  })

  it('does not strike a request that was too large to be read', async () => {
    const { sim } = await bench()
    const fault = sim.fault('*', { kind: 'html' })
    const reply = await send(`${sim.url}${APP_TOKEN}`, { method: 'POST', body: 'x'.repeat(2 * 1024 * 1024) })
    expect(reply.status).toBe(413)
    expect(fault.hits).toBe(0)
  })
})
