import { describe, expect, test } from 'vitest'
import { parseJsonObject, rawBytes } from '../../src/feishu/raw-body.ts'

const bytes = new TextEncoder().encode('{"é":1}')

describe('rawBytes', () => {
  test.each([
    ['a string', '{"é":1}'],
    ['a Uint8Array', bytes],
    ['a Buffer', Buffer.from(bytes)],
    ['an ArrayBuffer', bytes.slice().buffer],
  ])('takes %s', (_, body) => {
    expect(Buffer.from(rawBytes(body)).toString()).toBe('{"é":1}')
  })

  test('takes a view with its offset and length', () => {
    const around = new TextEncoder().encode('..{"é":1}..')
    expect(Buffer.from(rawBytes(new DataView(around.buffer, 2, bytes.length))).toString()).toBe('{"é":1}')
  })

  test('takes an empty body', () => {
    expect(rawBytes('').byteLength).toBe(0)
    expect(rawBytes(new Uint8Array()).byteLength).toBe(0)
  })

  test.each([
    [{ type: 'event_callback' }, 'an object'],
    [{ type: 'Buffer', data: [1] }, 'an object'],
    [[1, 2], 'an object'],
    [undefined, 'undefined'],
    [null, 'null'],
    [7, 'a number'],
  ])('refuses %j and says how to keep the body raw', (body, got) => {
    expect(() => rawBytes(body)).toThrow(TypeError)
    expect(() => rawBytes(body)).toThrow(/signature is over the raw bytes/)
    expect(() => rawBytes(body)).toThrow(`got ${got}`)
    for (const way of ["express.raw({ type: '*/*' })", 'addContentTypeParser', 'await request.text()', 'Next.js', 'NestJS', 'Koa']) {
      expect(() => rawBytes(body)).toThrow(way)
    }
  })

  test('does not quote the parsed body in its error', () => {
    expect(() => rawBytes({ token: 'hunter2' })).toThrow(expect.not.objectContaining({ message: expect.stringContaining('hunter2') }))
  })
})

describe('parseJsonObject', () => {
  const parse = (text: string) => parseJsonObject(Buffer.from(text))

  test('reads an object, with or without a byte order mark', () => {
    expect(parse('{"a":1}')).toEqual({ a: 1 })
    expect(parse('\uFEFF{"a":1}')).toEqual({ a: 1 })
  })

  test.each(['', ' ', 'null', '1', '"a"', '[{}]', '{"a":1', '<html>', `${'['.repeat(100_000)}`])(
    'takes nothing but a whole object: %.20s',
    (text) => {
      expect(parse(text)).toBeUndefined()
    },
  )

  test('takes nothing but UTF-8', () => {
    expect(parseJsonObject(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]))).toBeUndefined()
  })

  test('the last of duplicate keys counts, and __proto__ is dropped at every depth', () => {
    const value = parse('{"a":1,"a":2,"__proto__":{"b":1},"c":{"__proto__":null,"\\u005f_proto__":{"d":1}}}')
    expect(JSON.stringify(value)).toBe('{"a":2,"c":{}}')
  })

  test('is read as fast as the parser of the platform reads it, about', () => {
    const list = new TextEncoder().encode(`{"a":[${'0,'.repeat(100_000)}0]}`)
    const shortest = (work: () => unknown) =>
      Math.min(
        ...Array.from({ length: 5 }, () => {
          const start = performance.now()
          work()
          return performance.now() - start
        }),
      )
    const ratios = Array.from(
      { length: 3 },
      () => shortest(() => parseJsonObject(list)) / shortest(() => JSON.parse(new TextDecoder().decode(list))),
    )
    // With a reviver it was more than twenty times as long: most of a second, for anybody who sends a megabyte.
    expect(Math.min(...ratios)).toBeLessThan(10)
  })

  test.each([
    [499, true],
    [500, false],
    [150_000, false],
  ])('an object of %i levels below it is read: %s', (levels, isRead) => {
    expect(parse(`{"a":${'['.repeat(levels)}${']'.repeat(levels)}}`) !== undefined).toBe(isRead)
  })
})
