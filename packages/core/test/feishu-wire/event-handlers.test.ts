import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse, request as send } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import type { Clock } from '../../src/clock.ts'
import {
  createNodeEventHandler,
  createWebEventHandler,
  type EventHandlerOptions,
  type EventReceiver,
  type EventReply,
} from '../../src/feishu/event-handlers.ts'
import { header } from '../../src/feishu/headers.ts'

const MIB = 1024 * 1024
const ok: EventReply = { status: 200, headers: { 'content-type': 'application/json' }, body: '{"challenge":"x"}', handled: true }

/** A receiver that remembers what it was given. */
function receiver(reply: EventReply | Error = ok): EventReceiver & { readonly received: { body: string; nonce: string | undefined }[] } {
  const received: { body: string; nonce: string | undefined }[] = []
  return {
    received,
    async receiveEvent({ headers, body }) {
      received.push({ body: Buffer.from(body).toString(), nonce: header(headers, 'X-Lark-Request-Nonce') })
      if (reply instanceof Error) throw reply
      return reply
    },
  }
}

/** A clock whose timers fire when the test says so. */
function manualClock(): Clock & { readonly timers: Set<() => void> } {
  const timers = new Set<() => void>()
  const schedule = (run: () => void) => {
    timers.add(run)
    return () => void timers.delete(run)
  }
  return { timers, wall: () => 0, monotonic: () => 0, schedule }
}

const post = (body: Exclude<RequestInit['body'], undefined>, init: RequestInit = {}) =>
  new Request('http://localhost/events', { method: 'POST', headers: { 'X-Lark-Request-Nonce': 'n' }, ...init, body })

const opened: (() => unknown)[] = []
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close()
})

type Handler = (request: IncomingMessage, response: ServerResponse) => Promise<void>

/** A server around a handler; `outcomes` are the results of its calls. */
async function serve(handler: Handler): Promise<{ port: number; outcomes: Promise<unknown>[]; called: Promise<unknown> }> {
  const outcomes: Promise<unknown>[] = []
  const server = createServer((request, response) => {
    outcomes.push(
      handler(request, response).then(
        () => 'resolved',
        (error: unknown) => error,
      ),
    )
    server.emit('called')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  opened.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, outcomes, called: once(server, 'called') }
}

async function push(port: number, body: string, init: RequestInit = {}): Promise<Response> {
  return fetch(`http://127.0.0.1:${port}/`, {
    method: 'POST',
    body,
    headers: { 'X-Lark-Request-Nonce': 'n', connection: 'close' },
    ...init,
  })
}

/** The same behaviour through both handlers. */
const both: [
  string,
  (tokens: EventReceiver, options?: EventHandlerOptions) => Promise<(body: string, init?: RequestInit) => Promise<Response>>,
][] = [
  ['createWebEventHandler', async (tokens, options) => (body, init) => createWebEventHandler(tokens, options)(post(body, init))],
  [
    'createNodeEventHandler',
    async (tokens, options) => {
      const { port } = await serve(createNodeEventHandler(tokens, options))
      return (body, init) => push(port, body, init)
    },
  ],
]

describe.each(both)('%s', (_, start) => {
  test('passes the raw body and the headers on, and the reply back', async () => {
    const tokens = receiver()
    const response = await (await start(tokens))('{"é": 1}\n')
    expect(tokens.received).toEqual([{ body: '{"é": 1}\n', nonce: 'n' }])
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('application/json')
    expect(await response.text()).toBe('{"challenge":"x"}')
  })

  test('takes an empty body', async () => {
    const tokens = receiver({ ...ok, body: '' })
    expect(await (await (await start(tokens))('')).text()).toBe('')
    expect(tokens.received).toEqual([{ body: '', nonce: 'n' }])
  })

  test('takes POST only', async () => {
    const tokens = receiver()
    const response = await (await start(tokens))('x', { method: 'PUT' })
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST'])
    expect(tokens.received).toEqual([])
  })

  test('reads 1 MiB', async () => {
    const tokens = receiver()
    expect((await (await start(tokens))('x'.repeat(MIB))).status).toBe(200)
    expect(tokens.received[0]?.body).toHaveLength(MIB)
  })

  test('waits for onEvent with any other event before it answers', async () => {
    const steps: unknown[] = []
    const onEvent = async (event: unknown) => {
      await new Promise(setImmediate)
      steps.push(event)
    }
    const handle = await start(receiver({ ...ok, handled: false, event: { type: 'message' } }), { onEvent })
    expect((await handle('{}')).status).toBe(200)
    expect(steps).toEqual([{ type: 'message' }])
  })

  test('does not call onEvent when there is no other event, and does without it', async () => {
    const onEvent = () => expect.unreachable()
    expect((await (await start(receiver(), { onEvent }))('{}')).status).toBe(200)
    expect((await (await start(receiver({ ...ok, event: {} })))('{}')).status).toBe(200)
  })

  test('answers 500 when onEvent fails, so that the platform delivers again', async () => {
    const failures: unknown[] = []
    const failure = new Error('queue full of hunter2')
    const onEvent = () => Promise.reject(failure)
    const handle = await start(receiver({ ...ok, event: {} }), { onEvent, onError: (error) => failures.push(error) })
    const response = await handle('{}')
    expect(response.status).toBe(500)
    expect(await response.text()).not.toContain('hunter2')
    expect(failures).toEqual([failure])
  })

  test('answers 500 when receiveEvent fails', async () => {
    const handle = await start(receiver(new Error('store down')))
    expect((await handle('{}')).status).toBe(500)
  })
})

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

  test('answers 500 even when onError fails', async () => {
    const onError = () => {
      throw new Error('logger down')
    }
    const { port, outcomes } = await serve(createNodeEventHandler(receiver(new Error('store down')), { onError }))
    expect((await push(port, '{}')).status).toBe(500)
    expect(String(await outcomes[0])).toContain('logger down')
  })
})
