import { describe, expect, it } from 'vitest'
import { bench, type Reply } from './support/client.ts'

const refreshOf = ({ json }: Reply) => String(json.refresh_token)

describe('the record of a refresh token', () => {
  it('has every request that carried it, whatever became of each', async () => {
    const { sim, clock, authorize, refresh } = await bench()
    const token = refreshOf(await authorize())
    sim.fault('oauth_token', { kind: 'status', status: 502 })
    await refresh(token)
    clock.advance(1000)
    sim.fault('oauth_token', { kind: 'reset' })
    await expect(refresh(token)).rejects.toThrow()
    sim.fault('oauth_token', { kind: 'reset', at: 'reply' })
    await expect(refresh(token)).rejects.toThrow()
    clock.advance(1000)
    await refresh(token)
    const [presented] = sim.presentedTwice('cli_one')
    expect(sim.presentedTwice('cli_one')).toHaveLength(1)
    expect(presented).toMatchObject({ value: token, userId: 'user-1', usedAtMs: clock.wall() - 1000 })
    expect(presented?.presentations).toEqual(sim.requests.slice(1))
    expect(presented?.presentations).toMatchObject([
      { receivedAtMs: clock.wall() - 2000, end: 'replied', status: 502 },
      { end: 'reset' },
      { effect: 'new-token', end: 'reset' },
      { receivedAtMs: clock.wall(), end: 'replied', code: 20073 },
    ])
    expect(presented?.presentations.map(({ effect }) => effect)).toEqual([undefined, undefined, 'new-token', undefined])
    const machineTimes = presented?.presentations.map(({ machineMs }) => machineMs) ?? []
    expect(machineTimes).toEqual([...machineTimes].sort((a, b) => a - b))
  })

  it('shows a token that came again although its reply was lost, and the login it cost', async () => {
    const { sim, authorize, refresh } = await bench()
    const token = refreshOf(await authorize())
    sim.fault('oauth_token', { kind: 'reset', at: 'reply' })
    await expect(refresh(token)).rejects.toThrow()
    expect(sim.login('cli_one', 'user-1')).toMatchObject({ isAlive: true, rotations: 1 })
    expect((await refresh(token)).json.code).toBe(20073)
    expect(sim.login('cli_one', 'user-1')).toMatchObject({ isAlive: false, rotations: 1 })
  })

  it('is of one user or of all', async () => {
    const { sim, authorize, refresh } = await bench()
    const [one, two] = [refreshOf(await authorize()), refreshOf(await authorize(sim.issueCode('cli_one', 'user-2')))]
    for (const token of [one, one, two, two]) await refresh(token)
    expect(sim.presentedTwice('cli_one').map(({ value }) => value)).toEqual([one, two])
    expect(sim.presentedTwice('cli_one', 'user-2').map(({ value }) => value)).toEqual([two])
  })

  it('has nothing of a login whose tokens came once each', async () => {
    const { sim, authorize, refresh } = await bench()
    let reply = await authorize()
    for (let round = 0; round < 5; round += 1) reply = await refresh(refreshOf(reply))
    expect(sim.presentedTwice('cli_one')).toEqual([])
    const login = sim.login('cli_one', 'user-1')
    expect(login).toMatchObject({ isAlive: true, rotations: 5 })
    expect(login?.refreshTokens.map(({ presentations }) => presentations.length)).toEqual([1, 1, 1, 1, 1, 0])
  })

  it('also has the requests of an app that the token is not for', async () => {
    const other = { appId: 'cli_two', appSecret: 'secret-two', verificationToken: 'verification-two' }
    const { sim, authorize, refresh } = await bench({
      apps: [{ appId: 'cli_one', appSecret: 'secret-one', verificationToken: 'verification-one' }, other],
    })
    const token = refreshOf(await authorize())
    await refresh(token, { client_id: 'cli_two', client_secret: 'secret-two' })
    expect(sim.login('cli_one', 'user-1')?.refreshTokens[0]?.presentations).toMatchObject([{ appId: 'cli_two', code: 20024 }])
  })
})
