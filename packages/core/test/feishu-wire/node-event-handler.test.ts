import { once } from 'node:events'
import { type IncomingMessage, request as send } from 'node:http'
import { connect } from 'node:net'
import { describe, expect, test } from 'vitest'
import { createNodeEventHandler } from '../../src/feishu/event-handlers.ts'
import { type Handler, MIB, manualClock, push, receiver, serve } from './event-server.ts'

describe('createNodeEventHandler', () => {
  const withBody = (body: unknown, before?: (request: IncomingMessage) => Promise<unknown>): [Handler, ReturnType<typeof receiver>] => {
    const tokens = receiver()
    const handle = createNodeEventHandler(tokens)
    const handler: Handler = async (request, response) => {
      await before?.(request)
      return handle(body === undefined ? request : Object.assign(request, { body }), response)
    }
    return [handler, tokens]
  }
  const read = (request: IncomingMessage) => request.toArray()

  test.each([
    ['parsed', { type: 'event_callback' }, undefined],
    ['read and parsed', { type: 'event_callback' }, read],
    ['read and found empty', {}, read],
    ['read and dropped', undefined, read],
  ])('refuses a body that was %s, and answers 500', async (_, body, before) => {
    const [handler, tokens] = withBody(body, before)
    const { port, outcomes } = await serve(handler)
    expect((await push(port, '{}')).status).toBe(500)
    const error = await outcomes[0]
    expect(error).toBeInstanceOf(TypeError)
    expect(String(error)).toContain("express.raw({ type: '*/*' })")
    expect(tokens.received).toEqual([])
  })

  test('refuses a body that is decoded while it is read', async () => {
    const [handler] = withBody(undefined, async (request) => request.setEncoding('latin1'))
    const { port, outcomes } = await serve(handler)
    expect((await push(port, '{}')).status).toBe(500)
    expect(String(await outcomes[0])).toContain('setEncoding')
  })

  test('takes the raw body that express.raw() or express.text() left', async () => {
    for (const body of [Buffer.from('{"a": 1}'), '{"a": 1}']) {
      const [handler, tokens] = withBody(body, read)
      expect((await push((await serve(handler)).port, '{}')).status).toBe(200)
      expect(tokens.received).toMatchObject([{ body: '{"a": 1}' }])
    }
  })

  test('reads the body itself when a parser left {} without reading: no request may bring the process down', async () => {
    const [handler, tokens] = withBody({})
    expect((await push((await serve(handler)).port, '{"a": 1}')).status).toBe(200)
    expect(tokens.received).toMatchObject([{ body: '{"a": 1}' }])
  })

  test('stops at the limit when no length was announced, and ends the connection', async () => {
    const tokens = receiver()
    const { port, outcomes } = await serve(createNodeEventHandler(tokens))
    const request = send({ port, method: 'POST' }).on('error', () => {})
    request.write(Buffer.alloc(MIB + 1))
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    expect([response.statusCode, response.headers.connection]).toEqual([413, 'close'])
    await once(response.resume(), 'close')
    expect([await outcomes[0], tokens.received]).toEqual(['resolved', []])
  })

  test('answers 413 to an announced length without reading', async () => {
    const { port } = await serve(createNodeEventHandler(receiver()))
    const request = send({ port, method: 'POST', headers: { 'content-length': 10 * MIB } }).on('error', () => {})
    request.flushHeaders()
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    expect(response.statusCode).toBe(413)
    request.destroy()
  })

  test('answers 408 to a body that stalls', async () => {
    const clock = manualClock()
    const { port, called, outcomes } = await serve(createNodeEventHandler(receiver(), { clock }))
    const request = send({ port, method: 'POST', headers: { 'content-length': 10 } }).on('error', () => {})
    request.write('{')
    await called
    for (const run of clock.timers) run()
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    expect([response.statusCode, await outcomes[0], clock.timers.size]).toEqual([408, 'resolved', 0])
    request.destroy()
  })

  test('comes to an end when the sender goes away', async () => {
    const tokens = receiver()
    const { port, called, outcomes } = await serve(createNodeEventHandler(tokens))
    const socket = connect(port, '127.0.0.1')
    socket.write('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{')
    await called
    socket.destroy()
    expect([await outcomes[0], tokens.received]).toEqual(['resolved', []])
  })

  test.for([
    [
      'throws',
      () => {
        throw new Error('logger down')
      },
    ],
    ['rejects', async () => Promise.reject(new Error('logger down'))],
  ] as const)('answers 500 when onError %s, and does not fail itself', async ([, onError]) => {
    const { port, outcomes } = await serve(createNodeEventHandler(receiver(new Error('store down')), { onError }))
    expect((await push(port, '{}')).status).toBe(500)
    expect(await outcomes[0]).toBe('resolved')
  })

  test('tells onError of a body that was parsed before it came here, and does not fail itself', async () => {
    const told: unknown[] = []
    const handle = createNodeEventHandler(receiver(), { onError: (error) => void told.push(error) })
    const { port, outcomes } = await serve((request, response) => handle(Object.assign(request, { body: { parsed: true } }), response))
    expect((await push(port, '{}')).status).toBe(500)
    expect([await outcomes[0], String(told)]).toEqual(['resolved', expect.stringContaining('raw body')])
  })
})
