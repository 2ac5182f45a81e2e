import { getEventListeners } from 'node:events'
import { describe, expect, test } from 'vitest'
import { createWebEventHandler } from '../../src/feishu/event-handlers.ts'
import { MIB, manualClock, ok, post, receiver } from './event-server.ts'

describe('createWebEventHandler', () => {
  test('answers a status that takes no body', async () => {
    const response = await createWebEventHandler(receiver({ ...ok, status: 204, body: '' }))(post('{}'))
    expect([response.status, response.body]).toEqual([204, null])
  })

  test('answers 413 to one byte more than 1 MiB, announced or not', async () => {
    const tokens = receiver()
    const handle = createWebEventHandler(tokens)
    expect((await handle(post('x'.repeat(MIB + 1)))).status).toBe(413)
    expect((await handle(post('', { headers: { 'content-length': String(MIB + 1) } }))).status).toBe(413)
    expect(tokens.received).toEqual([])
  })

  test('refuses a request whose body was read, or is being read', async () => {
    const handle = createWebEventHandler(receiver())
    const read = post('{}')
    await read.json()
    const locked = post('{}')
    locked.body?.getReader()
    for (const request of [read, locked]) {
      await expect(handle(request)).rejects.toThrow(TypeError)
      await expect(handle(request)).rejects.toThrow('signature is over the raw bytes')
    }
  })

  test('tells onError of a body that was read, and answers 500', async () => {
    const told: unknown[] = []
    const request = post('{}')
    await request.json()
    const response = await createWebEventHandler(receiver(), { onError: (error) => void told.push(error) })(request)
    expect([response.status, String(told)]).toEqual([500, expect.stringContaining('signature is over the raw bytes')])
  })

  test('stops reading a body without end at the limit', async () => {
    let pulled = 0
    let cancelled = false
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        pulled += 65_536
        controller.enqueue(new Uint8Array(65_536))
      },
      cancel() {
        cancelled = true
      },
    })
    const response = await createWebEventHandler(receiver())(post(endless, { duplex: 'half' }))
    expect([response.status, cancelled]).toEqual([413, true])
    expect(pulled).toBeLessThanOrEqual(MIB + 4 * 65_536)
  })

  test('leaves no timer and no listener behind', async () => {
    const clock = manualClock()
    const request = post('{}', { signal: new AbortController().signal })
    const before = getEventListeners(request.signal, 'abort').length
    await createWebEventHandler(receiver(), { clock })(request)
    expect([getEventListeners(request.signal, 'abort').length, clock.timers.size]).toEqual([before, 0])
  })

  test('gives up a body that stalls, is aborted or breaks', async () => {
    const stalled = () => new ReadableStream<Uint8Array>({ cancel: () => new Promise(() => {}) })
    const clock = manualClock()
    const handle = createWebEventHandler(receiver(), { clock })

    const slow = handle(post(stalled(), { duplex: 'half' }))
    for (const run of clock.timers) run()
    expect((await slow).status).toBe(408)

    const controller = new AbortController()
    const aborted = handle(post(stalled(), { duplex: 'half', signal: controller.signal }))
    controller.abort()
    expect((await aborted).status).toBe(400)

    const broken = new ReadableStream<Uint8Array>({ pull: (stream) => stream.error(new Error('reset')) })
    expect((await handle(post(broken, { duplex: 'half' }))).status).toBe(400)
    expect(clock.timers.size).toBe(0)
  })
})
