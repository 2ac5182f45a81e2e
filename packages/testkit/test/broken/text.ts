import type { Defect, Defects } from './broken-store.ts'

/** Keeps keys under another name. */
function naming(name: (key: string) => string): Defect {
  return {
    around: (instance) => ({
      ...instance,
      async read(keys, operation) {
        const snapshots = await instance.read(keys.map(name), operation)
        return snapshots.map((snapshot, index) => ({ ...snapshot, key: keys[index] ?? '' }))
      },
      claim: (key, ...args) => instance.claim(name(key), ...args),
      publish: (key, ...args) => instance.publish(name(key), ...args),
      settle: (key, ...args) => instance.settle(name(key), ...args),
      invalidate: (key, ...args) => instance.invalidate(name(key), ...args),
    }),
  }
}

/** Keeps values in another spelling. */
function spelling(spell: (value: string) => string): Defect {
  return {
    around: (instance) => ({
      ...instance,
      publish: (key, attempt, fence, request, operation) =>
        instance.publish(key, attempt, fence, { ...request, value: spell(request.value) }, operation),
    }),
  }
}

const OBJECT_WORDS = Object.getOwnPropertyNames(Object.prototype)

export const textDefects: Defects = {
  'key: keys that differ by case are different keys': naming((key) => key.toLowerCase()),
  'key: keys that differ by Unicode normal form are different keys': naming((key) => key.normalize('NFC')),
  'key: keys that differ by white space are different keys': naming((key) => key.trim()),
  'key: the empty string is a key': naming((key) => {
    if (key === '') throw new Error('a key must not be empty')
    return key
  }),
  'key: braces mean nothing in a key': naming((key) => /\{(.+?)\}/.exec(key)?.[1] ?? key),
  'key: patterns mean nothing in a key': naming((key) => key.replace(/^k[*?%_.]y$/, 'key')),
  'key: quotes and separators mean nothing in a key': naming((key) => key.replace(/['"`]/g, "''")),
  'key: words that mean something to a program mean nothing in a key': naming((key) => {
    if (OBJECT_WORDS.includes(key)) throw new Error('already there')
    return key
  }),
  'key: any script can be a key': naming((key) => (key.length < 5 ? key.replace(/[\u0400-\uffff]/g, '?') : key)),
  'key: keys of 1,000 characters that differ in the last one are different keys': naming((key) => key.slice(0, 255)),
  'value: a value of 64 KB comes back as it was': spelling((value) => value.slice(0, 65_535)),
  'value: a value of any Unicode comes back as it was': spelling((value) => Buffer.from(value, 'latin1').toString('latin1')),
  'value: a value that looks like something else comes back as it was': spelling((value) => value.trim()),
  'value: an empty value is a value': spelling((value) => value || 'null'),
  'value: a failure of any Unicode comes back as it was': {
    around: (instance) => ({
      ...instance,
      settle: (key, attempt, fence, { failure = '', ...request }, operation) =>
        instance.settle(key, attempt, fence, { ...request, failure: Buffer.from(failure, 'latin1').toString('latin1') }, operation),
    }),
  },
}
