import { types } from 'node:util'

/** How to keep a body raw, framework by framework; part of the error that says it was not. */
const HOW_TO_KEEP_IT_RAW = [
  "Express: mount express.raw({ type: '*/*' }) on this route, before any express.json().",
  "Fastify: addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => done(null, body)).",
  'NestJS: NestFactory.create(AppModule, { rawBody: true }), and pass request.rawBody.',
  'Koa: mount createNodeEventHandler before any body parser, and pass context.req and context.res.',
  'Fetch API (Hono, Next.js route handlers, Deno, Bun): pass await request.text().',
  'Next.js API routes: export const config = { api: { bodyParser: false } } and read the request yourself.',
].join(' ')

/** @param got what came in place of a raw body, e.g. "an object" */
export function rawBodyNeeded(got: string): TypeError {
  return new TypeError(
    `the raw body of the event is needed, as a string or bytes, because its signature is over the raw bytes; got ${got}. ${HOW_TO_KEEP_IT_RAW}`,
  )
}

/**
 * The bytes of a raw request body. A string stands for its UTF-8 bytes; views and buffers are not copied.
 *
 * @throws TypeError for anything else, such as a body that was parsed already
 */
export function rawBytes(body: unknown): Uint8Array {
  if (typeof body === 'string') return Buffer.from(body)
  if (body instanceof Uint8Array) return body
  if (ArrayBuffer.isView(body)) return new Uint8Array(body.buffer, body.byteOffset, body.byteLength)
  if (types.isAnyArrayBuffer(body)) return new Uint8Array(body)
  if (body === null || body === undefined) throw rawBodyNeeded(String(body))
  throw rawBodyNeeded(typeof body === 'object' ? 'an object, as if the body had been parsed already' : `a ${typeof body}`)
}

/** Fields of a JSON object from outside: nothing is known about their values. */
export type JsonObject = Readonly<Record<string, unknown>>

/** Whether a JSON value is an object, not an array and not null. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** More levels than this no event and no reply has, and who reads on by recursion stays clear of the end of the stack. */
const DEEPEST = 500

/**
 * Reads bytes as one JSON object in UTF-8; `undefined` when they are anything else, or nested more than 500 deep. It never says why: the
 * message of a `SyntaxError` quotes its input, which may be a credential.
 */
export function parseJsonObject(bytes: Uint8Array): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
    return isJsonObject(value) && dropProto(value) ? value : undefined
  } catch {
    return undefined
  }
}

/**
 * Drops keys that would change the prototype of whatever the object is copied into. A reviver would do, at twenty times the cost: that of a
 * long list from anybody at all is a good part of a second. False when it is too deep.
 */
function dropProto(root: object): boolean {
  let level = [root]
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth >= DEEPEST) return false
    const next: object[] = []
    for (const each of level) {
      if (Object.hasOwn(each, '__proto__')) Reflect.deleteProperty(each, '__proto__')
      for (const value of Object.values(each)) if (typeof value === 'object' && value !== null) next.push(value)
    }
    level = next
  }
  return true
}
