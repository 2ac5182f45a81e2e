import type { Names } from './names.ts'
import claim from './sql/claim.sql?raw'
import clock from './sql/clock.sql?raw'
import collect from './sql/collect.sql?raw'
import invalidate from './sql/invalidate.sql?raw'
import publish from './sql/publish.sql?raw'
import read from './sql/read.sql?raw'
import record from './sql/record.sql?raw'
import reply from './sql/reply.sql?raw'
import settle from './sql/settle.sql?raw'
import write from './sql/write.sql?raw'

/** The sources as they are. `write` is the frame of what changes a record; `record`, `reply` and `clock` are parts of all. */
export const sources = { clock, record, reply, read, write, claim, publish, settle, invalidate, collect }

export type Sources = Readonly<typeof sources>

/** One statement for each operation. */
export type Statements = Readonly<Record<'read' | 'claim' | 'publish' | 'settle' | 'invalidate' | 'collect', string>>

export function statementsOf(sources: Sources, { schema, channel }: Names): Statements {
  const reply = fill(sources.reply)
  const at = (clock: string) => fill(sources.record, { clock })
  const decided = (decision: string, known = 'true') =>
    fill(sources.write, {
      schema,
      channel,
      known,
      columns: columnsOf(decision),
      decision: fill(decision, { record: at(fill(sources.clock)) }),
      reply,
      // A reply says what the decision saw, by the time it was made.
      record: at('(select r.answered_at as now)'),
    })
  return {
    read: fill(sources.read, { schema, reply, record: at(fill(sources.clock)) }),
    claim: decided(sources.claim),
    publish: decided(sources.publish),
    // Nobody holds a lease in a record that is not there.
    settle: decided(sources.settle, `exists (select from ${schema}.records where id = sha256(convert_to($1::text, 'UTF8')))`),
    invalidate: decided(sources.invalidate),
    collect: fill(sources.collect, { schema }),
  }
}

/** Replaces every `{name}` in the text, and leaves what replaces it as it is. Comments go first: they name them too. */
export function fill(text: string, parts: Readonly<Record<string, string>> = {}): string {
  return text
    .replaceAll(/--.*$/gm, '')
    .replaceAll(/\{(\w+)\}/g, (_, name: string) => {
      const part = parts[name]
      if (part === undefined) throw new Error(`a statement of the store names {${name}}, which there is not`)
      return part
    })
    .trim()
}

/** The columns a decision says it writes, in the order of what it selects. */
function columnsOf(decision: string): string {
  const [, columns] = /^-- Writes((?:.|\n-- {2})+)$/m.exec(decision) ?? []
  if (columns === undefined) throw new Error('a decision of the store does not say what it writes')
  return columns.replaceAll(/\n--/g, '').trim()
}
