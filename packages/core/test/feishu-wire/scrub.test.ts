import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { scrub } from '../../src/scrub.ts'

const secret = 'dsk/LL+dk "as"=\\jlé KK?>'

describe('scrub', () => {
  const bytes = Buffer.from(secret)
  test.each([
    ['as it is', secret],
    ['JSON-escaped', JSON.stringify(secret)],
    ['percent-encoded', encodeURIComponent(secret)],
    ['percent-encoded in lower case', encodeURIComponent(secret).replace(/%../g, (byte) => byte.toLowerCase())],
    ['form-encoded', new URLSearchParams({ s: secret }).toString()],
    ['in hex', bytes.toString('hex')],
    ['in upper-case hex', bytes.toString('hex').toUpperCase()],
    ['in base64', bytes.toString('base64')],
    ['in base64url', bytes.toString('base64url')],
  ])('takes a secret out %s', (_, form) => {
    const clean = scrub(`bad app_secret: ${form}.`, [secret])
    expect(clean).toContain('***')
    expect(clean.replace(/^bad app_secret: /, '').length).toBeLessThan(12)
  })

  test.each([1, 2, 3, 4])('takes a secret out of the base64 of something longer (%i bytes before it)', (before) => {
    const encoded = Buffer.concat([Buffer.alloc(before, 'a'), bytes, Buffer.from('after')]).toString('base64')
    const left = scrub(encoded, [secret]).split('***')
    expect(left).toHaveLength(2)
    expect(left.join('').length).toBeLessThan(encoded.length - bytes.length)
  })

  test('ignores empty secrets, and leaves other text alone', () => {
    expect(scrub('app_ticket invalid', ['', 'hunter2'])).toBe('app_ticket invalid')
    expect(scrub('id 6162 YWI=', ['zz'])).toBe('id 6162 YWI=')
  })

  test('a secret that begins another one does not leave the rest of it', () => {
    expect(scrub('abcdef', ['abc', 'abcdef'])).toBe('***')
  })

  test('any secret in any text is gone, and odd code units do no harm', () => {
    const text = fc.string({ unit: 'binary', maxLength: 30 })
    fc.assert(
      fc.property(text, fc.string({ unit: 'binary', minLength: 1, maxLength: 30 }), text, (before, hidden, after) => {
        fc.pre(!hidden.includes('*'))
        expect(scrub(before + hidden + after, [hidden])).not.toContain(hidden)
      }),
    )
    expect(scrub('x\uD800y', ['\uD800'])).toBe('x***y')
  })
})
