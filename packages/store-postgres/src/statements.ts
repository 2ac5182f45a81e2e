import type { Names } from './names.ts'

/** One statement for each operation: a call of the function that the schema has for it. */
export type Statements = Readonly<Record<'read' | 'claim' | 'publish' | 'settle' | 'invalidate' | 'collect', string>>

/** With the types of the arguments: a function of the same name that somebody has added to the schema is not taken for one of these. */
export function statementsOf({ schema }: Names): Statements {
  const call = (name: string, ...types: readonly string[]) =>
    `select ${schema}.${name}(${types.map((type, index) => `$${index + 1}::${type}`).join(', ')})`
  return {
    read: `${call('read', 'text[]')} as reply`,
    claim: `${call('claim', 'text', 'text', 'bigint', 'bigint', 'bigint', 'text')} as reply`,
    publish: `${call('publish', 'text', 'text', 'bigint', 'text', 'bigint', 'bigint', 'bigint', 'bigint', 'bigint')} as reply`,
    settle: `${call('settle', 'text', 'text', 'bigint', 'bigint', 'text', 'text')} as reply`,
    invalidate: `${call('invalidate', 'text', 'bigint')} as reply`,
    collect: call('collect', 'bytea'),
  }
}
