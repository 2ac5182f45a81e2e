import type { RequestListener, ServerResponse } from 'node:http'
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import type { FeishuTokens } from '@tokenwell/core/feishu'
import { feishuAuth } from '@tokenwell/core/feishu'
import { Agent, interceptors, request } from 'undici'
import { describe, expect, onTestFinished, test } from 'vitest'
import { listen, quiet } from '../support/world.ts'
import { createReadyWorld, everyClient, jsonOf, revoke, TENANT, tenantMints, textOf } from './support.ts'

const REFUSAL = JSON.stringify({ code: 99991663, msg: 'Invalid access token for authorization' })

/** A domain of the test's own, for tokens that the simulator mints. */
async function domain(listener: RequestListener) {
  const { world, tokens } = await createReadyWorld()
  const baseUrl = await listen(listener)
  const own: FeishuTokens = { ...tokens, baseUrl }
  return { world, tokens: own, url: `${baseUrl}/open-apis/x` }
}

/** Answers once with this, then well. */
function onceThenWell(first: (response: ServerResponse) => void): RequestListener {
  let count = 0
  return (incoming, response) => {
    incoming.resume()
    count += 1
    if (count === 1) first(response)
    else response.writeHead(200, { 'content-type': 'application/json' }).end('{"code":0}')
  }
}

describe.each(everyClient)('%s', (_, client) => {
  test.each([
    ['gzip', gzipSync(REFUSAL)],
    ['deflate', deflateSync(REFUSAL)],
    ['br', brotliCompressSync(REFUSAL)],
  ])('a refusal is one, compressed with %s', async (coding, bytes) => {
    const { world, tokens, url } = await domain(
      onceThenWell((response) => response.writeHead(400, { 'content-type': 'application/json', 'content-encoding': coding }).end(bytes)),
    )
    revoke(world)
    expect(await jsonOf(await client.open(tokens, { tenantKey: TENANT })(url))).toEqual({ code: 0 })
    expect(tenantMints(world)).toBe(2)
  })

  test.each([
    ['bytes', { 'content-type': 'application/octet-stream' }, 'first'],
    ['server-sent events', { 'content-type': 'text/event-stream' }, 'first'],
    ['JSON that begins with code 0', { 'content-type': 'application/json; charset=utf-8' }, ' {"code": 0, "data": ['],
    ['a list in JSON', { 'content-type': 'application/json' }, '[1,'],
    ['JSON that is too long for a refusal', { 'content-type': 'application/json' }, `{"items":"${'x'.repeat(17_000)}`],
    ['JSON that says it is long', { 'content-type': 'application/json', 'content-length': '50000' }, '{"code":9'],
  ])('a reply streams as it comes: %s', async (_, headers, first) => {
    let response: ServerResponse | undefined
    const { tokens, url } = await domain((_incoming, outgoing) => {
      response = outgoing
      outgoing.writeHead(200, headers).write(first)
    })
    const reply = await client.open(tokens, { tenantKey: TENANT })(url)
    const body = reply.body[Symbol.asyncIterator]()
    let got = ''
    while (got.length < first.length) got += Buffer.from((await body.next()).value ?? []).toString()
    expect(got).toBe(first)
    response?.destroy()
    await expect(body.next().then(() => body.next())).rejects.toThrow()
  })

  test('a large download passes with its sender waiting for its reader', async () => {
    const total = 64 * 1024 * 1024
    const piece = Buffer.alloc(64 * 1024, 'x')
    let sent = 0
    const { tokens, url } = await domain((_incoming, response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      const more = () => {
        let isRead = true
        while (isRead && sent < total) {
          sent += piece.length
          isRead = response.write(piece)
        }
        if (sent < total) response.once('drain', more)
        else response.end()
      }
      more()
    })
    const reply = await client.open(tokens, { tenantKey: TENANT })(url)
    // Nobody reads yet.
    for (let before = -1; before !== sent; ) {
      before = sent
      await quiet()
    }
    expect(sent).toBeLessThan(total / 2)
    let received = 0
    for await (const chunk of reply.body) received += chunk.length
    expect(received).toBe(total)
  })

  test('a reply to HEAD and one without a body are handed on', async () => {
    const { tokens, url } = await domain((incoming, response) => {
      response.writeHead(incoming.method === 'HEAD' ? 200 : 204, { 'content-type': 'application/json', 'x-here': 'yes' }).end()
    })
    const send = client.open(tokens, { tenantKey: TENANT })
    for (const method of ['HEAD', 'DELETE']) {
      const reply = await send(url, { method })
      expect(reply.headers['x-here']).toBe('yes')
      expect(await textOf(reply)).toBe('')
    }
  })

  test('JSON that is damaged, cut short in its coding or too large unpacked is handed on as it is', async () => {
    const bodies = [
      [Buffer.from('{"code":9999'), {}],
      [gzipSync(`{"code":99991663,"x":"${'x'.repeat(100_000)}"}`), { 'content-encoding': 'gzip' }],
      [zstdCompressSync(REFUSAL), { 'content-encoding': 'zstd' }],
    ] as const
    let next = 0
    const { world, tokens, url } = await domain((_incoming, response) => {
      const [body, headers] = bodies[next++] ?? ['', {}]
      response.writeHead(200, { 'content-type': 'application/json', ...headers }).end(body)
    })
    const send = client.open(tokens, { tenantKey: TENANT })
    for (const [body] of bodies) {
      // Some clients decode, and some not.
      const got = await textOf(await send(url))
      expect(got.length).toBeGreaterThanOrEqual(Math.min(body.length, REFUSAL.length))
    }
    expect(tenantMints(world)).toBe(1)
  })
})

test('a reply that is compressed in a way that is not looked into streams as it comes', async () => {
  let response: ServerResponse | undefined
  const { tokens, url } = await domain((_incoming, outgoing) => {
    response = outgoing
    outgoing.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'zstd' }).write('first')
  })
  const dispatcher = new Agent().compose(feishuAuth(tokens, { tenantKey: TENANT }))
  onTestFinished(() => dispatcher.destroy())
  const { body } = await request(url, { dispatcher })
  const { value } = await body[Symbol.asyncIterator]().next()
  expect(String(value)).toBe('first')
  response?.destroy()
})

test('interim replies, trailers and the reason of the status reach the caller', async () => {
  const { tokens, url } = await domain((_incoming, response) => {
    response.writeEarlyHints({ link: '</style.css>; rel=preload' })
    response.writeHead(200, 'Fine', { 'content-type': 'application/json', trailer: 'x-sum' })
    response.write('{"items":[]}')
    response.addTrailers({ 'x-sum': '42' })
    response.end()
  })
  const dispatcher = new Agent().compose(feishuAuth(tokens, { tenantKey: TENANT }))
  onTestFinished(() => dispatcher.destroy())
  const infos: number[] = []
  const { statusText, body, trailers } = await request(url, { dispatcher, onInfo: ({ statusCode }) => infos.push(statusCode) })
  await body.text()
  expect({ infos, statusText, trailers }).toEqual({ infos: [103], statusText: 'Fine', trailers: { 'x-sum': '42' } })
})

test('an upgrade is passed through, with the token', async () => {
  const { tokens, url } = await domain(() => {})
  const other = await import('node:http').then(({ createServer }) => createServer())
  const authorization: unknown[] = []
  other.on('upgrade', (incoming, socket) => {
    authorization.push(incoming.headers.authorization)
    socket.end('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: mine\r\n\r\nhello')
  })
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => new Promise<void>((resolve) => other.close(() => resolve())))
  const address = other.address()
  const baseUrl = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
  const dispatcher = new Agent().compose(feishuAuth({ ...tokens, baseUrl }, { tenantKey: TENANT }))
  onTestFinished(() => dispatcher.destroy())
  const { socket } = await (dispatcher as Agent).upgrade({ origin: baseUrl, path: new URL(url).pathname, protocol: 'mine' } as never)
  let text = ''
  for await (const chunk of socket) text += String(chunk)
  expect(text).toBe('hello')
  expect(authorization).toEqual([expect.stringMatching(/^Bearer /)])
})

test('where redirects are followed inside, the caller sees which', async () => {
  const { tokens, url } = await domain((incoming, response) => {
    if (incoming.url === '/open-apis/x') response.writeHead(302, { location: '/open-apis/y' }).end()
    else response.writeHead(200, { 'content-type': 'application/json' }).end('{"code":0}')
  })
  const dispatcher = new Agent().compose(interceptors.redirect({ maxRedirections: 2 }), feishuAuth(tokens, { tenantKey: TENANT }))
  onTestFinished(() => dispatcher.destroy())
  const { body, context } = await request(url, { dispatcher })
  await body.dump()
  const { history } = context as { history: URL[] }
  expect(history.map(({ pathname }) => pathname)).toEqual(['/open-apis/x', '/open-apis/y'])
})

test('a caller that cannot take the reply is told so, and nothing else breaks', async () => {
  const { tokens, url } = await domain((_incoming, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"items":[]}')
  })
  const dispatcher = new Agent().compose(feishuAuth(tokens, { tenantKey: TENANT }))
  onTestFinished(() => dispatcher.destroy())
  const broken = new Error('cannot take it')
  const told = await new Promise((resolve) => {
    const { origin, pathname: path } = new URL(url)
    dispatcher.dispatch(
      { origin, path, method: 'GET' },
      {
        onRequestStart() {},
        onResponseStart() {
          throw broken
        },
        onResponseError: (_controller, error) => resolve(error),
      },
    )
  })
  expect(told).toBe(broken)
})
