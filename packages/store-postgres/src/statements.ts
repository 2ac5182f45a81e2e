import type { Names } from './names.ts'

/** One statement for each operation: a call of the function that the schema has for it. */
export type Statements = Readonly<Record<'read' | 'claim' | 'publish' | 'settle' | 'invalidate' | 'collect', string>>

export function statementsOf({ schema }: Names): Statements {
  return {
    read: `select ${schema}.read($1) as reply`,
    claim: `select ${schema}.claim($1, $2, $3, $4, $5, $6) as reply`,
    publish: `select ${schema}.publish($1, $2, $3, $4, $5, $6, $7, $8, $9) as reply`,
    settle: `select ${schema}.settle($1, $2, $3, $4, $5, $6) as reply`,
    invalidate: `select ${schema}.invalidate($1, $2) as reply`,
    collect: `select ${schema}.collect($1)`,
  }
}
