import type { Mutation } from '../../mutation.ts'

/** What is kept at rest. */
export const seal: readonly Mutation[] = [
  {
    name: 'sealed-without-the-version',
    file: 'packages/core/src/seal/envelope.ts',
    find: 'JSON.stringify([MARK, keyId, key, version])',
    replace: 'JSON.stringify([MARK, keyId, key])',
    breaks: 'Who can write to the store can put an old value in the place of a new one.',
    unit: ['packages/core/test/seal/'],
    unplayed: 'Processes that are simulated do not seal what they store.',
  },
]
