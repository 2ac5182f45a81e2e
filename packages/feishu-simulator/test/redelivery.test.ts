import { describe, expect, it } from 'vitest'
import { callbackUrl } from './support/callback.ts'
import { APP, bench, HOUR, MINUTE } from './support/client.ts'

const DELAYS_MS = [15_000, 5 * MINUTE, HOUR, 6 * HOUR]

describe('an event that is not acknowledged', () => {
  it('is delivered again after 15 s, 5 min, 1 h and 6 h with the same uuid and ts, then given up', async () => {
    const callback = await callbackUrl((response) => response.writeHead(500).end())
    const { sim, clock } = await bench({ apps: [{ ...APP, eventUrl: callback.url }] })
    const { delivery } = await sim.pushTicket('cli_one')
    for (const [index, delayMs] of DELAYS_MS.entries()) {
      const answered = sim.next('delivery')
      clock.advance(delayMs - 1)
      expect(sim.counters().tickets.pushed).toBe(index + 1)
      clock.advance(1)
      await answered
    }
    expect(callback.received).toHaveLength(5)
    expect(new Set(callback.received.map(({ text }) => text)).size).toBe(1)
    expect(delivery).toMatchObject({ state: 'given-up', attempts: { length: 5 } })
    expect(clock.pending).toBe(0)
  })

  it('carries a new ts each time where told to', async () => {
    const callback = await callbackUrl((response) => response.writeHead(500).end())
    const { sim, clock } = await bench({ apps: [{ ...APP, eventUrl: callback.url }], behaviour: { redeliveryTs: 'new' } })
    await sim.pushTicket('cli_one')
    const answered = sim.next('delivery')
    clock.advance(15_000)
    await answered
    const [first, second] = callback.received.map(({ json }) => json)
    expect(second).toEqual({ ...first, ts: expect.any(String) })
    expect(Number(second?.ts) - Number(first?.ts)).toBeCloseTo(15)
  })

  it('is not delivered again once it is acknowledged', async () => {
    let status = 500
    const callback = await callbackUrl((response) => response.writeHead(status).end())
    const { sim, clock } = await bench({ apps: [{ ...APP, eventUrl: callback.url }] })
    const { delivery } = await sim.pushTicket('cli_one')
    status = 200
    const answered = sim.next('delivery')
    clock.advance(15_000)
    expect(await answered).toMatchObject({ status: 200, acknowledged: true })
    expect(delivery.state).toBe('acknowledged')
    expect(clock.pending).toBe(0)
    expect(sim.counters().tickets).toEqual({ pushed: 2, acknowledged: 1, refused: 1 })
  })

  it('reaches a callback URL that was set only after the first attempt', async () => {
    const callback = await callbackUrl()
    const { sim, clock } = await bench()
    await sim.pushTicket('cli_one')
    sim.setEventUrl('cli_one', callback.url)
    const answered = sim.next('delivery')
    clock.advance(15_000)
    expect((await answered).acknowledged).toBe(true)
  })

  it('counts as refused when no answer comes within 3 s', async () => {
    const callback = await callbackUrl(() => {})
    const { sim, clock } = await bench({ apps: [{ ...APP, eventUrl: callback.url }] })
    const attempt = sim.pushTicket('cli_one')
    clock.advance(3000)
    expect(await attempt).toMatchObject({ acknowledged: false, error: expect.stringMatching(/no reply within 3 s/) })
  })

  it('counts as refused when the connection fails', async () => {
    const callback = await callbackUrl((response) => response.destroy())
    const { sim } = await bench({ apps: [{ ...APP, eventUrl: callback.url }] })
    expect(await sim.pushTicket('cli_one')).toMatchObject({ acknowledged: false, error: expect.any(String) })
  })
})

describe('redeliver', () => {
  it('sends an acknowledged event once more, with the same uuid and ts', async () => {
    const callback = await callbackUrl()
    const { sim, clock } = await bench({ apps: [{ ...APP, eventUrl: callback.url }] })
    const { delivery } = await sim.pushTicket('cli_one')
    clock.advance(HOUR)
    expect((await sim.redeliver(delivery)).acknowledged).toBe(true)
    expect(callback.received[1]?.text).toBe(callback.received[0]?.text)
  })

  it('takes the place of the redelivery that was due next', async () => {
    const callback = await callbackUrl((response) => response.writeHead(500).end())
    const { sim, clock } = await bench({ apps: [{ ...APP, eventUrl: callback.url }] })
    const { delivery } = await sim.pushTicket('cli_one')
    await sim.redeliver(delivery)
    expect(clock.pending).toBe(1)
    clock.advance(5 * MINUTE - 1)
    expect(sim.counters().tickets.pushed).toBe(2)
  })

  it('holds the redelivery off while it waits for its own answer', async () => {
    let status = 500
    const callback = await callbackUrl((response) => status && response.writeHead(status).end())
    const { sim, clock } = await bench({ apps: [{ ...APP, eventUrl: callback.url }] })
    const { delivery } = await sim.pushTicket('cli_one')
    clock.advance(14_000)
    status = 0
    const attempt = sim.redeliver(delivery)
    clock.advance(2999)
    expect(sim.counters().tickets.pushed).toBe(2)
    clock.advance(1)
    expect((await attempt).acknowledged).toBe(false)
  })

  it('leaves one redelivery due after several attempts at once', async () => {
    const callback = await callbackUrl((response) => response.writeHead(500).end())
    const { sim, clock } = await bench({ apps: [{ ...APP, eventUrl: callback.url }] })
    const { delivery } = await sim.pushTicket('cli_one')
    await Promise.all([sim.redeliver(delivery), sim.redeliver(delivery)])
    expect(delivery.attempts).toHaveLength(3)
    expect(clock.pending).toBe(1)
  })

  it('refuses a delivery of another simulator', async () => {
    const [one, other] = [await bench(), await bench()]
    const { delivery } = await one.sim.pushTicket('cli_one')
    await expect(other.sim.redeliver(delivery)).rejects.toThrow(TypeError)
  })
})
