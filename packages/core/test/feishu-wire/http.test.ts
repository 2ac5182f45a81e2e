import { getEventListeners, once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { inspect } from 'node:util'
import { Agent, MockAgent } from 'undici'
import { afterEach, describe, expect, test } from 'vitest'
import { isTokenError, TokenError } from '../../src/errors.ts'
import { createHttp, type Http } from '../../src/feishu/http.ts'
import { buildAppAccessTokenRequest } from '../../src/feishu/requests.ts'

const request = buildAppAccessTokenRequest({ appId: 'cli_slkdjalasdkjasd', appSecret: 'dskLLdkasdjlasdKK', appTicket: 'dskLLdkasd' })
const never = new AbortController().signal

/** What a test opened, closed last first. */
const opened: (() => unknown)[] = []
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close()
})

async function serve(handle: (request: IncomingMessage, response: ServerResponse) => void): Promise<{ baseUrl: string; server: Server }> {
  const server = createServer(handle).listen(0, '127.0.0.1')
  await once(server, 'listening')
  opened.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return { baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server }
}

function open(options: Parameters<typeof createHttp>[0]): Http {
  const http = createHttp(options)
  opened.push(() => http.close())
  return http
}

async function failureOf(work: Promise<unknown>): Promise<TokenError> {
  const error = await work.then(
    () => new Error('expected a failure'),
    (reason: unknown) => reason,
  )
  if (!isTokenError(error)) throw error
  return error
}

describe('a request', () => {
  test('is a JSON POST below the base URL, and the reply comes back as it is', async () => {
    const { baseUrl } = await serve(async (incoming, response) => {
      const body = (await incoming.toArray()).join('')
      response.writeHead(418, { 'x-tt-logid': 'log-1' }).end(JSON.stringify([incoming.method, incoming.url, incoming.headers, body]))
    })
    const reply = await open({ baseUrl: `${baseUrl}/gateway` }).post(request, { signal: never })
    expect(reply).toMatchObject({ status: 418, headers: { 'x-tt-logid': 'log-1' } })
    const [method, url, headers, body] = JSON.parse(Buffer.from(reply.body).toString())
    expect([method, url]).toEqual(['POST', '/gateway/open-apis/auth/v3/app_access_token'])
    expect(headers).toMatchObject({ 'content-type': 'application/json; charset=utf-8', 'user-agent': 'tokenwell' })
    expect(body).toBe('{"app_id":"cli_slkdjalasdkjasd","app_secret":"dskLLdkasdjlasdKK","app_ticket":"dskLLdkasd"}')
  })

  test('does not follow a redirect', async () => {
    const paths: (string | undefined)[] = []
    const { baseUrl } = await serve((incoming, response) => {
      paths.push(incoming.url)
      response.writeHead(307, { location: '/elsewhere' }).end()
    })
    expect(await open({ baseUrl }).post(request, { signal: never })).toMatchObject({ status: 307 })
    expect(paths).toEqual([request.path])
  })

  test('does not need a connection of its own each time, so every body was consumed', async () => {
    const sockets = new Set<unknown>()
    const { baseUrl } = await serve((incoming, response) => {
      sockets.add(incoming.socket)
      response.end('x'.repeat(60_000))
    })
    const http = open({ baseUrl })
    for (let i = 0; i < 10; i++) expect((await http.post(request, { signal: never })).body).toHaveLength(60_000)
    // Two, not one: undici takes a connection back a moment after the end of the body.
    expect(sockets.size).toBeLessThanOrEqual(2)
  })
})

describe('a reply of more than 64 KiB', () => {
  test.each([65_536, 65_537])('of %i bytes', async (size) => {
    const { baseUrl } = await serve((_, response) => response.end('x'.repeat(size)))
    const post = open({ baseUrl }).post(request, { signal: never })
    if (size === 65_536) expect((await post).body).toHaveLength(size)
    else expect(await failureOf(post)).toMatchObject({ code: 'UPSTREAM_INVALID_REPLY', retryable: true, upstream: { httpStatus: 200 } })
  })

  test('is given up while it is still coming, and its connection is ended', async () => {
    let ended: Promise<unknown> = Promise.resolve()
    const { baseUrl } = await serve((_, response) => {
      ended = once(response, 'close')
      const more = () => {
        while (response.write('x'.repeat(16_384)));
      }
      response.writeHead(200, { 'x-tt-logid': 'log-dskLLdkasd' }).on('drain', more)
      more()
    })
    const error = await failureOf(open({ baseUrl }).post(request, { signal: never }))
    expect(error).toMatchObject({ code: 'UPSTREAM_INVALID_REPLY', upstream: { logId: 'log-***' } })
    await ended
  })
})

describe('no reply', () => {
  test('a refused connection is UPSTREAM_UNAVAILABLE with its cause', async () => {
    const { baseUrl, server } = await serve(() => {})
    server.close()
    await once(server, 'close')
    const error = await failureOf(open({ baseUrl }).post(request, { signal: never }))
    expect(error).toMatchObject({ code: 'UPSTREAM_UNAVAILABLE', retryable: true, cause: { code: 'ECONNREFUSED', syscall: 'connect' } })
    expect(error.message).toContain('ECONNREFUSED')
  })

  test('a host with several addresses that all refuse says so', async () => {
    const { baseUrl, server } = await serve(() => {})
    server.close()
    await once(server, 'close')
    const error = await failureOf(open({ baseUrl: baseUrl.replace('127.0.0.1', 'localhost') }).post(request, { signal: never }))
    expect(error.message).toContain('ECONNREFUSED')
  })

  test.each([
    ['a connection closed before the reply', ''],
    ['a connection closed within the reply', 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"code":0,"app_access_token":"dskLLdkasd"'],
    ['something that is not HTTP', 'dskLLdkasdjlasdKK\r\n\r\n'],
  ])('%s', async (_, bytes) => {
    const server = createTcpServer((socket) => socket.once('data', () => socket.end(bytes))).listen(0, '127.0.0.1')
    await once(server, 'listening')
    opened.push(() => server.close())
    const error = await failureOf(
      open({ baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }).post(request, { signal: never }),
    )
    expect(error).toMatchObject({ code: 'UPSTREAM_UNAVAILABLE', retryable: true })
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('dskLL')
  })

  test('an error of a dispatcher that quotes the request is scrubbed', async () => {
    const mock = new MockAgent()
    opened.push(() => mock.close())
    mock.disableNetConnect()
    mock.get('https://open.feishu.cn').intercept({ method: 'POST', path: request.path, body: 'another' }).reply(200, {})
    const error = await failureOf(createHttp({ baseUrl: 'https://open.feishu.cn', dispatcher: mock }).post(request, { signal: never }))
    expect(error).toMatchObject({ code: 'UPSTREAM_UNAVAILABLE', cause: { name: 'MockNotMatchedError' } })
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('dskLL')
    expect(inspect(error)).toContain('***')
  })

  test('whatever a dispatcher throws becomes a TokenError', async () => {
    for (const thrown of [
      'dskLLdkasd',
      undefined,
      7,
      Object.assign(new Error('x', { cause: new Error('dskLLdkasd') }), { body: 'dskLLdkasd' }),
    ]) {
      const dispatcher = new Agent()
      opened.push(() => dispatcher.close())
      dispatcher.dispatch = () => {
        throw thrown
      }
      const error = await failureOf(createHttp({ baseUrl: 'https://open.feishu.cn', dispatcher }).post(request, { signal: never }))
      expect(error.code).toBe('UPSTREAM_UNAVAILABLE')
      expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('dskLL')
    }
  })
})

describe('an abort', () => {
  /** Aborts once the request has arrived, with nothing or half a reply sent. */
  async function abortWith(reason: unknown, head?: string): Promise<TokenError> {
    const controller = new AbortController()
    const { baseUrl } = await serve((_, response) => {
      if (head !== undefined) response.write(head)
      setImmediate(() => controller.abort(reason))
    })
    return failureOf(open({ baseUrl }).post(request, { signal: controller.signal }))
  }

  test('with a TokenError rejects with that very error', async () => {
    const reason = new TokenError('CLOSED', 'closing', { retryable: false })
    expect(await abortWith(reason)).toBe(reason)
    expect(await abortWith(reason, '{"code"')).toBe(reason)
  })

  test('with anything else is a reply that did not come within the deadline', async () => {
    for (const reason of [undefined, new Error('enough of dskLLdkasd'), 'enough']) {
      const error = await abortWith(reason)
      expect(error).toMatchObject({
        code: 'UPSTREAM_UNAVAILABLE',
        retryable: true,
        message: expect.stringContaining('no reply within the deadline'),
      })
      expect(inspect(error)).not.toContain('dskLL')
    }
  })

  test('before the request sends nothing', async () => {
    let requests = 0
    const { baseUrl } = await serve(() => requests++)
    expect(await failureOf(open({ baseUrl }).post(request, { signal: AbortSignal.abort() }))).toMatchObject({
      code: 'UPSTREAM_UNAVAILABLE',
    })
    expect(requests).toBe(0)
  })

  test('counts at once, even while no connection can be had', async () => {
    const dispatcher = new Agent({ connect: () => {} })
    opened.push(() => dispatcher.destroy())
    const controller = new AbortController()
    const post = failureOf(createHttp({ baseUrl: 'https://open.feishu.cn', dispatcher }).post(request, { signal: controller.signal }))
    controller.abort()
    expect(await post).toMatchObject({ code: 'UPSTREAM_UNAVAILABLE' })
  })

  test('leaves no listener on the signal', async () => {
    const { baseUrl } = await serve((_, response) => response.end('{}'))
    const { signal } = new AbortController()
    await open({ baseUrl }).post(request, { signal })
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })
})

describe('close', () => {
  test('ends a request in flight and refuses later ones', async () => {
    const http = createHttp({ baseUrl: (await serve(() => void http.close())).baseUrl })
    expect(await failureOf(http.post(request, { signal: never }))).toMatchObject({ code: 'CLOSED', retryable: false })
    await http.close()
    expect(await failureOf(http.post(request, { signal: never }))).toMatchObject({ code: 'CLOSED' })
  })

  test('refuses requests too when nothing was sent before, or through a dispatcher of its user', async () => {
    let requests = 0
    const { baseUrl } = await serve((_, response) => response.end(`${++requests}`))
    const dispatcher = new Agent()
    opened.push(() => dispatcher.close())
    for (const http of [open({ baseUrl }), open({ baseUrl, dispatcher })]) {
      await http.close()
      expect(await failureOf(http.post(request, { signal: never }))).toMatchObject({ code: 'CLOSED' })
    }
    expect(requests).toBe(0)
  })

  test('frees its own connections', async () => {
    const { baseUrl, server } = await serve((_, response) => response.end('{}'))
    const http = createHttp({ baseUrl })
    await http.post(request, { signal: never })
    await http.close()
    server.close()
    await once(server, 'close')
  })

  test('leaves a dispatcher it was given open', async () => {
    const { baseUrl } = await serve((_, response) => response.end('{}'))
    const dispatcher = new Agent()
    opened.push(() => dispatcher.close())
    const first = createHttp({ baseUrl, dispatcher })
    await first.post(request, { signal: never })
    await first.close()
    expect(await open({ baseUrl, dispatcher }).post(request, { signal: never })).toMatchObject({ status: 200 })
  })
})
