import type { Names } from './names.ts'

/** One statement for each operation: a call of the function that the schema has for it. */
export type Statements = Readonly<Record<'read' | 'claim' | 'publish' | 'settle' | 'invalidate' | 'collect', string>>

export function statementsOf({ schema }: Names): Statements {
  return {
    read: `select * from ${schema}.read($1)`,
    claim: `select * from ${schema}.claim($1, $2, $3, $4, $5, $6)`,
    publish: `select * from ${schema}.publish($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
    settle: `select * from ${schema}.settle($1, $2, $3, $4, $5, $6)`,
    invalidate: `select * from ${schema}.invalidate($1, $2)`,
    collect: `select ${schema}.collect($1)`,
  }
}
