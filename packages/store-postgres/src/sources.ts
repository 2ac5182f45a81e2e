import type { Names } from './names.ts'
import claim from './sql/claim.sql?raw'
import clock from './sql/clock.sql?raw'
import collect from './sql/collect.sql?raw'
import invalidate from './sql/invalidate.sql?raw'
import publish from './sql/publish.sql?raw'
import read from './sql/read.sql?raw'
import records from './sql/records.sql?raw'
import remaining from './sql/remaining.sql?raw'
import replyOf from './sql/reply_of.sql?raw'
import settle from './sql/settle.sql?raw'

/** What makes the table and the functions of a store, a statement each, in an order in which they can be run. */
export const sources = {
  records,
  clock,
  remaining,
  replyOf,
  read,
  claim,
  publish,
  settle,
  invalidate,
  collect,
}

export type Sources = Readonly<typeof sources>

/** A source as it is run: each `{name}` is replaced, and what replaces it is left as it is. */
export function fill(source: string, names: Names): string {
  return source
    .replaceAll('$body$', quoteFor(names))
    .replaceAll(/\{(\w+)\}/g, (_, name: string) => {
      const part = Object.entries(names).find(([known]) => known === name)?.[1]
      if (part === undefined) throw new Error(`a source of the store names {${name}}, which there is not`)
      return part
    })
    .trim()
}

/** What the body of a function is quoted with: no schema can be called so as to end it. */
function quoteFor({ schema, channel }: Names): string {
  let quote = '$body$'
  for (let digit = 1; `${schema} ${channel}`.includes(quote); digit++) quote = `$body${digit}$`
  return quote
}
