import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { render } from '../render.ts'
import { search } from '../search.ts'

// Not registered as secrets of the real run: these are meant to be found.
const planted = `k${randomBytes(30).toString('base64url')}`
const awkward = `q"7\\x/ü+&9=%Zk ${randomBytes(12).toString('base64url')}`
const accents = 'äöüßéèêáàñçø'
const base64 = (text: string, encoding: BufferEncoding = 'base64') => Buffer.from(text).toString(encoding)

function find(text: string, value = planted) {
  const noise = { source: 'noise', test: 'none', text: randomBytes(300).toString('base64') }
  return search([noise, { source: 'event', test: 'a test', text }, noise], [{ label: 'app secret', value }])
}

describe('the search', () => {
  it('finds nothing where nothing leaked', () => {
    const other = randomBytes(40)
    expect(find(`${other.toString('base64')} ${other.toString('hex')} ${planted.slice(0, 11)}…${planted.slice(12, 23)}`)).toEqual([])
  })

  it('takes 12 characters in hex too: shorter runs of digits meet by chance', () => {
    const hex = Buffer.from(planted).toString('hex')
    expect(find(`at ${hex.slice(0, 22)}_${hex.slice(24, 46)}`)).toEqual([])
    expect(find(`at ${hex.slice(0, 24)}_`)).toHaveLength(1)
  })

  it('says what was found, in which form, where and when, and not the secret', () => {
    const finds = find(`token ${planted} served`)
    expect(finds).toEqual([{ label: 'app secret', form: 'raw', source: 'event', test: 'a test', entry: 1 }])
    expect(JSON.stringify(finds)).not.toContain(planted.slice(0, 12))
  })

  it.each([
    ['raw', planted, planted],
    ['a beginning of 12 characters', `"${planted.slice(0, 12)}…`, planted],
    ['a middle of 12 characters', `…${planted.slice(9, 21)}…`, planted],
    ['an end of 12 characters', `…${planted.slice(-12)}"`, planted],
    ['base64', base64(planted), planted],
    ['base64 one byte further', base64(`:${planted}:rest`), planted],
    ['base64 two bytes further', base64(`::${planted}rest`), planted],
    ['base64url', base64(`?>${awkward}`, 'base64url'), awkward],
    ['hex', Buffer.from(`id:${planted}`).toString('hex'), planted],
    ['hex in capitals', Buffer.from(planted).toString('hex').toUpperCase(), planted],
    ['URL-escaped', `?secret=${encodeURIComponent(awkward)}&`, awkward],
    ['URL-escaped with small hex digits', encodeURIComponent(accents).toLowerCase(), accents],
    ['a form field', new URLSearchParams({ secret: awkward }).toString(), awkward],
    ['JSON-escaped', JSON.stringify({ secret: awkward }), awkward],
    ['JSON in JSON', JSON.stringify({ body: JSON.stringify({ secret: awkward }) }), awkward],
    ['an inspected buffer', render({ body: Buffer.from(`{"token":"${planted}"}`) }), planted],
    ['an inspected byte array', render(new Uint8Array(Buffer.from(planted))), planted],
    ['a buffer as JSON', JSON.stringify(Buffer.from(planted)), planted],
  ])('finds it as %s', (_form, text, value) => {
    expect(find(text, value)).toHaveLength(1)
  })

  it('reads ten million characters with a thousand secrets well within the time limit of a test', () => {
    const secrets = Array.from({ length: 1000 }, (_, at) => ({ label: `${at}`, value: randomBytes(24).toString('base64url') }))
    const text = randomBytes(7_500_000).toString('base64')
    expect(search([{ source: 's', test: 't', text }], secrets)).toEqual([])
  })
})

describe('what is recorded of a value', () => {
  const visible = (value: unknown) => find(render(value)).length === 1

  it('includes causes, aggregated errors, hidden properties and depths', () => {
    expect(visible(new Error('outer', { cause: new Error('middle', { cause: { token: planted } }) }))).toBe(true)
    expect(visible(new AggregateError([new Error(planted)], 'several'))).toBe(true)
    expect(visible(Object.defineProperty(new Error('x'), 'token', { value: planted, enumerable: false }))).toBe(true)
    expect(visible({ a: { b: { c: { d: { e: { f: new Map([['token', planted]]) } } } } } })).toBe(true)
    expect(visible({ [planted]: 1 })).toBe(true)
  })

  it('includes what only JSON, only String or only a custom inspection shows', () => {
    expect(visible({ toJSON: () => planted })).toBe(true)
    expect(visible({ toString: () => planted })).toBe(true)
    expect(visible({ [Symbol.for('nodejs.util.inspect.custom')]: () => planted })).toBe(true)
    expect(visible({ token: planted, [Symbol.for('nodejs.util.inspect.custom')]: () => 'hidden' })).toBe(true)
  })

  it('survives values that cannot be shown', () => {
    const circular: Record<string, unknown> = { big: 1n }
    circular.self = circular
    for (const value of [
      circular,
      undefined,
      null,
      Object.create(null),
      Symbol('s'),
      new Proxy(
        {},
        {
          get: () => {
            throw new Error('no')
          },
        },
      ),
    ]) {
      expect(() => render(value)).not.toThrow()
    }
  })
})
