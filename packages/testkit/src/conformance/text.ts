import type { Cases } from './cases.ts'
import { same } from './expect.ts'
import { patient, type Subject } from './subject.ts'

/** Publishes one value to each key, and expects each key to give back its own. */
async function keptApart(subject: Subject, keys: readonly string[]): Promise<void> {
  for (const [index, key] of keys.entries()) await subject.accept(`attempt ${index}`, undefined, { value: `value ${index}` }, key)
  const snapshots = await subject.store.read(keys, patient())
  same(
    snapshots.map(({ key, value }) => [key, value]),
    keys.map((key, index) => [key, `value ${index}`]),
    'keys and values',
  )
}

export const keyCases: Cases = {
  'keys that differ by case are different keys': (subject) => keptApart(subject, ['Tenant', 'tenant', 'TENANT']),

  'keys that differ by Unicode normal form are different keys': (subject) => keptApart(subject, ['caf\u00e9', 'cafe\u0301']),

  'keys that differ by white space are different keys': (subject) =>
    keptApart(subject, ['key', ' key', 'key ', 'k ey', 'key\n', 'key\r\n', 'key\t', 'key\u00a0']),

  'the empty string is a key': (subject) => keptApart(subject, ['', 'key']),

  'braces mean nothing in a key': (subject) => keptApart(subject, ['{tag}', '{tag}a', 'tag', '{', '}', '{}', '}{', '{{tag}}']),

  'patterns mean nothing in a key': (subject) => keptApart(subject, ['k*y', 'k?y', 'k[e]y', 'k\\*y', 'k%y', 'k_y', 'k.y', 'key']),

  'quotes and separators mean nothing in a key': (subject) =>
    keptApart(subject, ["'", '"', '`', ';', '--', ':', '/', '\\', '|', '$1', '$key', "'; drop table records; --"]),

  'words that mean something to a program mean nothing in a key': (subject) =>
    keptApart(subject, ['__proto__', 'constructor', 'toString', 'null', 'undefined', 'true', '0', 'NaN']),

  'any script can be a key': (subject) => keptApart(subject, ['租户', 'テナント', 'مستأجر', '👩‍💻', '\u{10ffff}', '\u200b', '\ufeff']),

  'keys of 1,000 characters that differ in the last one are different keys': (subject) =>
    keptApart(subject, [`${'k'.repeat(999)}a`, `${'k'.repeat(999)}b`, `${'租'.repeat(999)}a`, `${'租'.repeat(999)}b`]),
}

/** Publishes each value under a key of its own, and expects to read the same. */
async function comeBack(subject: Subject, ...values: readonly string[]): Promise<void> {
  for (const [index, value] of values.entries()) {
    const key = `key ${index}`
    await subject.accept('a', undefined, { value }, key)
    same((await subject.read(key)).value, value, 'value')
  }
}

export const valueCases: Cases = {
  'a value of 64 KB comes back as it was': (subject) => comeBack(subject, 't-'.repeat(32 * 1024)),

  'a value of any Unicode comes back as it was': (subject) => comeBack(subject, 'é e\u0301 租户 👩‍💻 \u{10ffff} \ufeff \r\n\t "\'\\{}%'),

  'a value that looks like something else comes back as it was': (subject) =>
    comeBack(subject, '007', '1e3', 'null', '{"a":1}', ' padded '),

  'an empty value is a value': (subject) => comeBack(subject, ''),

  'a failure of any Unicode comes back as it was': async (subject) => {
    const failure = '{"code":10012,"msg":"票据 \u{1f3ab} \\"lost\\"\\n"}'
    const { backoff } = await subject.fail('a', { failure })
    same(backoff?.failure, failure, 'failure')
  },
}
