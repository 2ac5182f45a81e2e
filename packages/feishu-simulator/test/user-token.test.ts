import { describe, expect, it } from 'vitest'
import { APP, bench, HOUR, MINUTE, OAUTH_TOKEN, type Reply, send, USER_INFO } from './support/client.ts'

const OTHER = { appId: 'cli_two', appSecret: 'secret-two', verificationToken: 'verification-two' }
const otherClient = { client_id: 'cli_two', client_secret: 'secret-two' }

const accessOf = ({ json }: Reply) => String(json.access_token)
const refreshOf = ({ json }: Reply) => String(json.refresh_token)

describe('a code', () => {
  it('is exchanged for a login of two hours and seven days', async () => {
    const { sim, authorize, whoami } = await bench()
    const reply = await authorize()
    expect(reply.status).toBe(200)
    expect(reply.json).toEqual({
      code: 0,
      access_token: expect.stringMatching(/^u-\w{40}$/),
      expires_in: 7200,
      refresh_token: expect.stringMatching(/^ur-\w{40}$/),
      refresh_token_expires_in: 604_800,
      scope: 'auth:user.id:read offline_access',
      token_type: 'Bearer',
    })
    expect((await whoami(accessOf(reply))).json).toEqual({
      code: 0,
      msg: 'success',
      data: { app_id: 'cli_one', token_type: 'user', user_id: 'user-1' },
    })
    expect(sim.counters('cli_one', { userId: 'user-1' })).toMatchObject({
      requests: { oauth_token: 1, api: 1 },
      newTokens: { user: 1 },
      errors: {},
    })
  })

  it('is good for one exchange', async () => {
    const { sim, authorize } = await bench()
    const code = sim.issueCode('cli_one', 'user-1')
    const first = await authorize(code)
    expect(await authorize(code)).toMatchObject({
      status: 400,
      json: { code: 20065, error: 'invalid_grant', error_description: expect.stringMatching(/only be used once/) },
    })
    expect(sim.judge(accessOf(first))).toBe('valid')
  })

  it('ends after five minutes', async () => {
    const { sim, clock, authorize } = await bench()
    const [last, late] = [sim.issueCode('cli_one', 'user-1'), sim.issueCode('cli_one', 'user-1')]
    clock.advance(5 * MINUTE - 1)
    expect((await authorize(last)).json.code).toBe(0)
    clock.advance(1)
    expect((await authorize(late)).json.code).toBe(20004)
  })

  it('is bound to its redirect URI and to its app', async () => {
    const { sim, authorize } = await bench({ apps: [APP, OTHER] })
    const code = sim.issueCode('cli_one', 'user-1', { redirectUri: 'https://app.example/callback' })
    expect((await authorize(code)).json.code).toBe(20071)
    expect((await authorize(code, { redirect_uri: 'https://app.example/other' })).json.code).toBe(20071)
    expect((await authorize(code, otherClient)).json.code).toBe(20024)
    expect((await authorize(code, { redirect_uri: 'https://app.example/callback' })).json.code).toBe(0)
  })

  it('gives no refresh token where the user did not agree to offline access', async () => {
    const { sim, authorize } = await bench()
    const reply = await authorize(sim.issueCode('cli_one', 'user-1', { scope: 'auth:user.id:read offline_access:other' }))
    expect(Object.keys(reply.json)).toEqual(['code', 'access_token', 'expires_in', 'scope', 'token_type'])
    expect(sim.login('cli_one', 'user-1')).toMatchObject({ isAlive: false, accessToken: accessOf(reply), refreshTokens: [] })
  })
})

describe('POST /open-apis/authen/v2/oauth/token', () => {
  it.each([
    ['an unknown code', { code: 'any' }, 20003, 'invalid_grant'],
    ['no code', { code: undefined }, 20001, 'invalid_request'],
    ['an unknown app', { client_id: 'cli_other' }, 20048, 'invalid_client'],
    ['a wrong secret', { client_secret: 'wrong' }, 20002, 'invalid_client'],
    ['no secret', { client_secret: undefined }, 20001, 'invalid_request'],
    ['no grant type', { grant_type: undefined }, 20001, 'invalid_request'],
    ['another grant type', { grant_type: 'client_credentials' }, 20036, 'unsupported_grant_type'],
    ['an unknown refresh token', { grant_type: 'refresh_token', refresh_token: 'ur-any' }, 20026, 'invalid_grant'],
    ['no refresh token', { grant_type: 'refresh_token' }, 20001, 'invalid_request'],
  ])('refuses %s, with HTTP status 400, error and description', async (_, fields, code, error) => {
    const { sim, authorize } = await bench()
    const reply = await authorize(undefined, fields)
    expect(reply.status).toBe(400)
    expect(reply.json).toEqual({ code, error, error_description: expect.any(String) })
    expect(sim.counters().errors).toEqual({ [code]: 1 })
  })

  it('refuses with HTTP status 200 where told to, and a body that is no JSON object', async () => {
    const { sim, authorize } = await bench({ behaviour: { oauthErrorStatus: 200 } })
    expect(await authorize('any')).toMatchObject({ status: 200, json: { code: 20003 } })
    expect((await send(sim.url + OAUTH_TOKEN, { method: 'POST', body: 'code=any' })).json.code).toBe(20001)
    expect((await send(sim.url + OAUTH_TOKEN, {})).status).toBe(405)
  })
})

describe('a refresh', () => {
  it('gives a new pair, with whole lives, and uses the refresh token up', async () => {
    const { sim, clock, authorize, refresh } = await bench()
    const first = await authorize()
    clock.advance(HOUR)
    const second = await refresh(refreshOf(first))
    expect(second.json).toMatchObject({ code: 0, expires_in: 7200, refresh_token_expires_in: 604_800 })
    expect([accessOf(second), refreshOf(second)]).not.toEqual([accessOf(first), refreshOf(first)])
    expect([first, second].map((reply) => sim.judge(refreshOf(reply)))).toEqual(['revoked', 'valid'])
    expect([first, second].map((reply) => sim.judge(accessOf(reply)))).toEqual(['valid', 'valid'])
    expect(sim.login('cli_one', 'user-1')).toMatchObject({
      isAlive: true,
      rotations: 1,
      accessToken: accessOf(second),
      refreshToken: refreshOf(second),
    })
  })

  it('kills the earlier access token where told to', async () => {
    const { sim, authorize, refresh } = await bench({ behaviour: { oldUserToken: 'revoked' } })
    const first = await authorize()
    const second = await refresh(refreshOf(first))
    expect([first, second].map((reply) => sim.judge(accessOf(reply)))).toEqual(['revoked', 'valid'])
  })

  it('works until the end of the refresh token', async () => {
    const { sim, clock, authorize, refresh } = await bench()
    const [one, two] = [await authorize(), await authorize(sim.issueCode('cli_one', 'user-2'))]
    clock.advance(7 * 24 * HOUR - 1)
    expect((await refresh(refreshOf(one))).json.code).toBe(0)
    clock.advance(1)
    expect(sim.login('cli_one', 'user-2')?.isAlive).toBe(false)
    expect(sim.judge(refreshOf(two))).toBe('expired')
    expect((await refresh(refreshOf(two))).json.code).toBe(20037)
  })

  it('with a token that is used up is refused, and costs the whole login', async () => {
    const { sim, authorize, refresh, whoami } = await bench()
    const first = await authorize()
    const second = await refresh(refreshOf(first))
    expect(await refresh(refreshOf(first))).toMatchObject({ status: 400, json: { code: 20073 } })
    expect((await refresh(refreshOf(second))).json.code).toBe(20064)
    for (const reply of [first, second]) expect((await whoami(accessOf(reply))).json.code).toBe(99991668)
    expect((await refresh(refreshOf(first))).json.code).toBe(20073)
    expect(sim.login('cli_one', 'user-1')).toMatchObject({ isAlive: false, revocation: { why: 'reuse' }, rotations: 1 })
  })

  it('with a token that is used up is only refused where told to', async () => {
    const { sim, authorize, refresh } = await bench({ behaviour: { refreshReuse: 'refuse' } })
    const first = await authorize()
    const second = await refresh(refreshOf(first))
    expect((await refresh(refreshOf(first))).json.code).toBe(20073)
    expect(sim.login('cli_one', 'user-1')?.isAlive).toBe(true)
    expect((await refresh(refreshOf(second))).json.code).toBe(0)
  })

  it('by another app is refused, and uses nothing up', async () => {
    const { sim, authorize, refresh } = await bench({ apps: [APP, OTHER] })
    const first = await authorize()
    expect((await refresh(refreshOf(first), otherClient)).json.code).toBe(20024)
    expect(sim.login('cli_one', 'user-1')?.isAlive).toBe(true)
  })

  it('of many at once with one token succeeds for one of them', async () => {
    const { sim, authorize, refresh } = await bench()
    const token = refreshOf(await authorize())
    const codes = (await Promise.all(Array.from({ length: 5 }, () => refresh(token)))).map(({ json }) => json.code)
    expect(codes.filter((code) => code === 0)).toHaveLength(1)
    expect(codes.filter((code) => code === 20073)).toHaveLength(4)
    expect(sim.login('cli_one', 'user-1')?.isAlive).toBe(false)
  })
})

describe('a login', () => {
  it('is independent of every other login of the user', async () => {
    const { sim, clock, authorize, refresh } = await bench()
    const old = await authorize()
    clock.advance(1000)
    const next = await authorize()
    await refresh(refreshOf(old))
    await refresh(refreshOf(old))
    expect(sim.logins('cli_one')).toMatchObject([
      { userId: 'user-1', startedAtMs: clock.wall() - 1000, isAlive: false },
      { userId: 'user-1', startedAtMs: clock.wall(), isAlive: true, refreshToken: refreshOf(next) },
    ])
    expect(sim.login('cli_one', 'user-1')?.refreshToken).toBe(refreshOf(next))
    expect(sim.login('cli_one', 'user-2')).toBeUndefined()
  })

  it('can be revoked whole', async () => {
    const { sim, clock, authorize, refresh, whoami } = await bench()
    expect(sim.revokeUser('cli_one', 'user-1', 'login')).toBeUndefined()
    const first = await authorize()
    const reply = await refresh(refreshOf(first))
    expect(sim.revokeUser('cli_one', 'user-1', 'login')).toBe(accessOf(reply))
    expect((await refresh(refreshOf(reply))).json.code).toBe(20064)
    expect((await whoami(accessOf(reply))).json.code).toBe(99991668)
    const revoked = { isAlive: false, revocation: { atMs: clock.wall(), why: 'revoked' } }
    expect(sim.login('cli_one', 'user-1')).toMatchObject(revoked)
    clock.advance(1000)
    await refresh(refreshOf(first))
    sim.revokeUser('cli_one', 'user-1', 'login')
    expect(sim.login('cli_one', 'user-1')).toMatchObject({ ...revoked, revocation: { atMs: clock.wall() - 1000, why: 'revoked' } })
  })

  it('can lose its access tokens alone', async () => {
    const { sim, authorize, refresh, whoami } = await bench()
    const reply = await authorize()
    expect(sim.revokeUser('cli_one', 'user-1', 'access-token')).toBe(accessOf(reply))
    expect((await whoami(accessOf(reply))).json.code).toBe(99991668)
    expect((await whoami(accessOf(await refresh(refreshOf(reply))))).json.code).toBe(0)
  })
})

describe('an access token of a user', () => {
  it('is told apart when it has expired and when it is dead or unknown', async () => {
    const { sim, clock, authorize, whoami } = await bench()
    const [one, two] = [await authorize(), await authorize(sim.issueCode('cli_one', 'user-2'))]
    sim.revokeUser('cli_one', 'user-2', 'access-token')
    clock.advance(2 * HOUR - 1)
    expect((await whoami(accessOf(one))).json.code).toBe(0)
    clock.advance(1)
    expect(await whoami(accessOf(one))).toMatchObject({ status: 400, json: { code: 99991677 } })
    expect((await whoami(accessOf(two))).json.code).toBe(99991668)
    expect((await whoami('u-unknown')).json.code).toBe(99991668)
    expect((await whoami(refreshOf(one))).json.code).toBe(99991671)
  })

  it('alone opens the user information', async () => {
    const { sim, authorize, mint } = await bench()
    const info = (token: unknown, path = USER_INFO) => send(sim.url + path, { headers: { authorization: `Bearer ${token}` } })
    expect((await info(accessOf(await authorize()))).json).toEqual({
      code: 0,
      msg: 'success',
      data: { open_id: 'user-1', user_id: 'user-1' },
    })
    const { app_access_token } = (await mint()).json
    for (const path of [USER_INFO, `${USER_INFO}/`]) expect((await info(app_access_token, path)).json.code).toBe(99991668)
  })

  it('is about 4 KB where told to, and so is its refresh token', async () => {
    const { authorize, refresh, whoami } = await bench({ behaviour: { tokenForm: 'jwt' } })
    const reply = await refresh(refreshOf(await authorize()))
    expect(accessOf(reply).length).toBeGreaterThan(3900)
    expect(refreshOf(reply).length).toBeGreaterThan(3900)
    expect((await whoami(accessOf(reply))).json.code).toBe(0)
  })
})
