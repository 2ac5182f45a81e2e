import { randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { Keyring } from '../../src/seal/keyring.ts'

const key = () => randomBytes(32).toString('base64')
const keys = { first: key(), second: key() }
const place = { key: 'tokenwell/feishu/open.feishu.cn/cli_a/app-access-token', version: 1_790_000_000_000_000 }
const ring = (sealWith?: string, allowClear?: boolean) =>
  new Keyring({ keys, ...(sealWith !== undefined && { sealWith }), ...(allowClear !== undefined && { allowClear }) })

/** Text of any length and any well-formed Unicode, from a seed. */
function textFrom(seed: number): string {
  let state = seed
  const draw = (below: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return (state >>> 8) % below
  }
  return Array.from({ length: 1 + draw(200) }, () =>
    String.fromCodePoint([1 + draw(0x7f), 0x80 + draw(0x700), 0x4e00 + draw(0x5000), 0x1f300 + draw(0x200)][draw(4)] ?? 65),
  ).join('')
}

describe('a sealed value', () => {
  test('opens to what it was, whatever that is, and shows none of it', () => {
    for (let seed = 1; seed <= 500; seed++) {
      const value = textFrom(seed)
      const sealed = ring('first').seal(value, place)
      expect(ring('second').open(sealed, place)).toEqual({ value })
      if (value.length >= 6) expect(sealed).not.toContain(value)
    }
  })

  test('is another one each time', () => {
    expect(ring('first').seal('token', place)).not.toBe(ring('first').seal('token', place))
  })

  test('of the longest credential fits into a store', () => {
    for (const each of ['x', 'é', '漢', '😀']) {
      const sealed = new Keyring({ keys: { ['k'.repeat(32)]: keys.first }, sealWith: 'k'.repeat(32) }).seal(
        each.repeat(16_000 / each.length),
        place,
      )
      expect(Buffer.byteLength(sealed)).toBeLessThanOrEqual(64 * 1_024)
    }
  })

  test.each([
    ['another record', { ...place, key: `${place.key}x` }],
    ['a record of another namespace', { ...place, key: place.key.replace('tokenwell', 'other') }],
    ['an older version', { ...place, version: place.version - 1 }],
    ['a newer version', { ...place, version: place.version + 1 }],
  ])('is refused in %s', (_, elsewhere) => {
    const sealed = ring('first').seal('token', place)
    expect(ring('first').open(sealed, elsewhere)).toMatchObject({ unreadable: expect.stringContaining('moved') })
  })

  test('is refused with any one character changed, and cut at any place', () => {
    const sealed = ring('first').seal('a token of some length', place)
    for (let at = 0; at < sealed.length; at++) {
      const other = sealed[at] === 'A' ? 'B' : 'A'
      expect(ring('first', false).open(sealed.slice(0, at) + other + sealed.slice(at + 1), place)).toHaveProperty('unreadable')
      expect(ring('first', false).open(sealed.slice(0, at), place)).toHaveProperty('unreadable')
    }
    expect(ring('first', false).open(`${sealed}.x`, place)).toHaveProperty('unreadable')
    expect(ring('first', false).open(`${sealed}=`, place)).toHaveProperty('unreadable')
  })

  test('is refused under another id, and under a key that only shares its id', () => {
    const sealed = ring('first').seal('token', place)
    expect(ring('first').open(sealed.replace('.first.', '.second.'), place)).toHaveProperty('unreadable')
    expect(new Keyring({ keys: { first: key() } }).open(sealed, place)).toHaveProperty('unreadable')
    expect(new Keyring({ keys: { other: keys.first } }).open(sealed, place)).toEqual({ unreadable: 'sealed with an unknown key' })
  })
})

describe('a value in clear', () => {
  test('is stored and read before sealing begins', () => {
    expect(ring().seal('token', place)).toBe('token')
    expect(ring().open('token', place)).toEqual({ value: 'token' })
  })

  test('is read while that is allowed, and not by default', () => {
    expect(ring('first', true).open('token', place)).toEqual({ value: 'token' })
    expect(ring('first').open('token', place)).toEqual({ unreadable: 'in clear' })
  })
})

describe('options', () => {
  test('take keys as bytes, base64 and base64url, with or without padding', () => {
    const bytes = randomBytes(32)
    const sealed = new Keyring({ keys: { k: bytes }, sealWith: 'k' }).seal('token', place)
    for (const text of [
      bytes.toString('base64'),
      bytes.toString('base64url'),
      bytes.toString('base64').replace('=', ''),
      `${bytes.toString('base64')}\n`,
    ]) {
      expect(new Keyring({ keys: { k: text } }).open(sealed, place)).toEqual({ value: 'token' })
    }
  })

  test.each([
    [{}, 'encryption.keys'],
    [{ keys: [] }, 'encryption.keys'],
    [{ keys: {} }, '1 to 10 keys'],
    [{ keys: { 'a b': keys.first } }, 'ids of 1 to 32'],
    [{ keys: { a: 'short' } }, 'encryption.keys.a'],
    [{ keys: { a: randomBytes(16) } }, '16 bytes'],
    [{ keys: { a: `${keys.first}!` } }, 'not base64'],
    [{ keys: { a: 7 } }, 'encryption.keys.a'],
    [{ keys, sealWith: 'third' }, 'first, second'],
    [{ keys, sealWith: 'toString' }, 'sealWith'],
    [{ keys, allowClear: 'yes' }, 'allowClear'],
    [{ keys, allowClear: false }, 'contradicts'],
    [{ keys, seal: 'first' }, 'no option "seal"'],
  ])('that are wrong are refused: %#', (options, message) => {
    let thrown: unknown
    try {
      new Keyring(options as never)
    } catch (error) {
      thrown = error
    }
    expect(thrown).toBeInstanceOf(TypeError)
    expect(String(thrown)).toContain(message)
    for (const secret of Object.values(keys)) expect(String(thrown)).not.toContain(secret.slice(0, 12))
  })

  test('do not show in what is printed of them', () => {
    expect(inspect(ring('first'), { depth: 9, showHidden: true })).not.toContain(keys.first.slice(0, 12))
    expect(JSON.stringify(ring('first'))).toBe('{}')
  })
})
