import { Readable } from 'node:stream'
import { feishuAuth, feishuFetch } from '@tokenwell/core/feishu'
import { Agent, request, FormData as UndiciFormData } from 'undici'
import { expect, onTestFinished, test } from 'vitest'
import { listen } from '../support/world.ts'
import { calls, createReadyWorld, revoke, SCOPES, TENANT, tenantMints } from './support.ts'

const MEGABYTE = 1024 * 1024

/** A domain that keeps the bodies it is sent, and refuses the first. */
async function refusingOnce() {
  const { world, tokens } = await createReadyWorld()
  const bodies: Buffer[] = []
  const baseUrl = await listen(async (incoming, response) => {
    const chunks: Buffer[] = []
    try {
      for await (const chunk of incoming) chunks.push(chunk)
    } catch {
      return
    }
    bodies.push(Buffer.concat(chunks))
    response.writeHead(200, { 'content-type': 'application/json' }).end(`{"code":${bodies.length === 1 ? 99991663 : 0}}`)
  })
  revoke(world)
  const own = { ...tokens, baseUrl }
  const dispatcher = new Agent().compose(feishuAuth(own, { tenantKey: TENANT }))
  onTestFinished(() => dispatcher.destroy())
  const post = async (body: unknown, headers: Record<string, string> = {}) => {
    const reply = await request(`${baseUrl}/open-apis/x`, { dispatcher, method: 'POST', headers, body: body as string })
    return (await reply.body.json()) as { code: number }
  }
  return { world, tokens: own, bodies, post }
}

async function* pieces(count: number, size: number): AsyncGenerator<Buffer> {
  // One piece of memory, as a reader with a buffer of its own has it.
  const piece = Buffer.alloc(size)
  for (let n = 0; n < count; n += 1) yield piece.fill(97 + (n % 26))
}

function form(): UndiciFormData {
  const made = new UndiciFormData()
  made.set('file_type', 'stream')
  made.set('file', new File(['hello'], 'hello.txt'))
  return made
}

test.each([
  ['a string', () => 'hello'],
  ['an empty string', () => ''],
  ['bytes', () => new TextEncoder().encode('hello')],
  ['a Buffer', () => Buffer.from('hello')],
  ['a form', form],
  ['an iterable', () => ['he', Buffer.from('llo')]],
  ['a generator', () => pieces(10, 1_000)],
  ['a stream of the web', () => ReadableStream.from(pieces(10, 1_000))],
  ['a mebibyte in pieces', () => pieces(16, MEGABYTE / 16)],
])('%s is sent again when the token is refused', async (_, body) => {
  const { world, bodies, post } = await refusingOnce()
  expect(await post(body())).toEqual({ code: 0 })
  expect(bodies).toHaveLength(2)
  // The parts of a form are set apart by something new each time.
  const shown = bodies.map((bytes) => bytes.toString().replaceAll(/-+formdata-undici-\d+/g, '--'))
  expect(shown[1]).toBe(shown[0])
  expect(tenantMints(world)).toBe(2)
})

test.each([
  ['a stream of Node', () => Readable.from(pieces(10, 1_000)), 10_000],
  ['pieces of more than a mebibyte', () => pieces(17, MEGABYTE / 16), (17 * MEGABYTE) / 16],
] as const)('%s is sent once: the refusal is handed on, the token rejected, and the next request fares well', async (_, body, size) => {
  const { world, bodies, post } = await refusingOnce()
  expect(await post(body())).toEqual({ code: 99991663 })
  expect(bodies.map(({ length }) => length)).toEqual([size])
  expect(tenantMints(world)).toBe(2)
  expect(await post('again')).toEqual({ code: 0 })
  expect(bodies).toHaveLength(2)
  expect(tenantMints(world)).toBe(2)
})

test('a refusal of what is sent once is handed on where the next token cannot be had, too', async () => {
  const { world, post } = await refusingOnce()
  world.simulator.disableTenant(world.appId, TENANT)
  expect(await post(Readable.from(['hello']))).toEqual({ code: 99991663 })
})

test('what is sent once does not wait for a limit to pass', async () => {
  const { world, tokens } = await createReadyWorld()
  const dispatcher = new Agent().compose(feishuAuth(tokens, { tenantKey: TENANT }))
  onTestFinished(() => dispatcher.destroy())
  world.simulator.fault('api', { kind: 'rate-limit', resetSeconds: 1 })
  const { statusCode, body } = await request(tokens.baseUrl + SCOPES, { dispatcher, method: 'POST', body: Readable.from(['hello']) })
  await body.dump()
  expect(statusCode).toBe(429)
  expect(calls(world)).toHaveLength(1)
})

test('the length that was given for pieces is the length of what is sent again', async () => {
  const { bodies, post } = await refusingOnce()
  expect(await post(pieces(5, 10), { 'content-length': '50' })).toEqual({ code: 0 })
  expect(bodies.map(({ length }) => length)).toEqual([50, 50])
})

test('feishuFetch sends forms and blobs of Node, and what a Request brings, again', async () => {
  const upload = new FormData()
  upload.set('image', new Blob(['x'.repeat(1_000)]), 'image.png')
  for (const body of [upload, new Blob(['hello']), new URLSearchParams({ a: '1' }), 'text', new Uint8Array([1, 2, 3])]) {
    for (const asRequest of [false, true]) {
      const { tokens, bodies } = await refusingOnce()
      const api = feishuFetch(tokens, { tenantKey: TENANT })
      const init: RequestInit = { method: 'POST', body }
      const url = `${tokens.baseUrl}/open-apis/x`
      const reply = asRequest ? await api(new Request(url, init)) : await api(url, init)
      expect(await reply.json()).toEqual({ code: 0 })
      expect(bodies).toHaveLength(2)
      expect(bodies[1]).toEqual(bodies[0])
    }
  }
})

test('an upload that breaks off fails as it would without a token, and is not sent again', async () => {
  const { bodies, post } = await refusingOnce()
  const broken = new Error('the file is gone')
  const breaking = async function* () {
    yield 'half'
    throw broken
  }
  await expect(post(breaking())).rejects.toThrow()
  await expect(post(Readable.from(breaking()))).rejects.toBe(broken)
  expect(bodies).toHaveLength(0)
})
