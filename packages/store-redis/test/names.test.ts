import { describe, expect, test } from 'vitest'
import { names } from '../src/names.ts'

const AWKWARD = [
  '',
  'key',
  'a:b',
  '{',
  '}',
  '{}',
  '}{',
  '{tag}',
  '%',
  '%007d',
  '%25',
  '\ud800',
  '\udfff\ud800',
  '👩‍💻',
  'a b',
  '\r\n\0',
  '*?[a]\\',
]

describe('the name of a record', () => {
  test('is the prefix and the key in braces', () => {
    expect(names('tokenwell', '').record('tokenwell/feishu/cli_a/app-ticket')).toBe('{tokenwell:tokenwell/feishu/cli_a/app-ticket}')
  })

  test.each(AWKWARD)('is a hash tag as a whole, and gives the key back: %j', (key) => {
    const own = names('tokenwell', '')
    const record = own.record(key)
    expect(record).toMatch(/^\{[^{}]+\}$/)
    expect(own.keyOf(record)).toBe(key)
  })

  test('survives the way through UTF-8', () => {
    for (const key of AWKWARD) expect(Buffer.from(names('p', '').record(key)).toString()).toBe(names('p', '').record(key))
  })

  test('is another one for another key or another prefix', () => {
    const prefixes = ['a', 'a:b', 'b', '}', '{', 'a%']
    const keys = [...AWKWARD, 'b:c', 'c', ':', '::']
    const records = prefixes.flatMap((prefix) => keys.map((key) => names(prefix, '').record(key)))
    expect(new Set(records).size).toBe(prefixes.length * keys.length)
  })

  test('gives no key back to a store of another prefix, or to a client of another prefix', () => {
    const record = `app:${names('one', 'app:').record('key')}`
    expect(names('one', 'app:').keyOf(record)).toBe('key')
    expect(names('two', 'app:').keyOf(record)).toBeUndefined()
    expect(names('one', '').keyOf(record)).toBeUndefined()
    expect(names('on', 'app:').keyOf(record)).toBeUndefined()
  })
})
