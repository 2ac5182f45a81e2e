import { describe, expect, test } from 'vitest'
import { type AnyHeaders, header } from '../../src/feishu/headers.ts'

describe('header', () => {
  const shapes: [string, AnyHeaders][] = [
    ["Node's IncomingHttpHeaders", { host: 'h', 'x-lark-signature': 'abc' }],
    ['a plain object in any case', { 'X-LARK-Signature': 'abc' }],
    ['a plain object with lists', { 'X-Lark-Signature': ['abc', 'def'] }],
    ['WHATWG Headers', new Headers({ 'X-Lark-Signature': 'abc' })],
    ['a Map in any case', new Map([['X-Lark-Signature', 'abc']])],
    ['an array of pairs', [['X-Lark-Signature', 'abc']]],
    ['an object with get() alone', { get: (name: string) => (name === 'x-lark-signature' ? 'abc' : null) }],
  ]
  test.each(shapes)('is found in %s', (_, headers) => {
    expect(header(headers, 'X-Lark-Signature')).toBe('abc')
    expect(header(headers, 'x-lark-signature')).toBe('abc')
    expect(header(headers, 'x-lark-request-nonce')).toBeUndefined()
  })

  test('the first of several wins, and one without a value is as good as absent', () => {
    expect(
      header(
        [
          ['a', undefined],
          ['A', '1'],
          ['a', '2'],
        ],
        'a',
      ),
    ).toBe('1')
    expect(header({ a: [] }, 'a')).toBeUndefined()
    expect(header({ a: undefined }, 'a')).toBeUndefined()
  })

  test('nothing is found in what is not headers', () => {
    for (const nonsense of [undefined, null, 'a', 1, ['a', 'b'], [null], { a: 1 }]) {
      expect(header(nonsense as unknown as AnyHeaders, 'a')).toBeUndefined()
    }
    expect(header({}, 'constructor')).toBeUndefined()
  })
})
