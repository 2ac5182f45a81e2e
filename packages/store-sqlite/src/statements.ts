import accept from './sql/accept.sql?raw'
import claim from './sql/claim.sql?raw'
import ensure from './sql/ensure.sql?raw'
import fail from './sql/fail.sql?raw'
import forget from './sql/forget.sql?raw'
import grant from './sql/grant.sql?raw'
import invalidate from './sql/invalidate.sql?raw'
import publish from './sql/publish.sql?raw'
import read from './sql/read.sql?raw'
import record from './sql/record.sql?raw'
import reject from './sql/reject.sql?raw'
import release from './sql/release.sql?raw'
import schema from './sql/schema.sql?raw'
import settle from './sql/settle.sql?raw'

/** The statements as they are. */
export const sources = {
  /** Each brings the schema to the version of its number, from 1 on, and writes that version into the file. */
  migrations: [schema] as readonly string[],
  /** What every question begins with. */
  record,
  /** One for each operation. They change nothing. */
  questions: { read, claim, publish, settle, invalidate },
  /** What a question can ask for. */
  changes: { grant, accept, release, fail, reject },
  ensure,
  forget,
}

export type Sources = typeof sources
export type Question = keyof Sources['questions']
type Change = keyof Sources['changes']

/** Which changes carry out what a question asks for. Whoever publishes or fails has no more use for the lease. */
export const STEPS: Readonly<Record<Change, readonly Change[]>> = {
  grant: ['grant'],
  accept: ['accept', 'release'],
  release: ['release'],
  fail: ['fail', 'release'],
  reject: ['reject'],
}

/** Whether a question's kind is a change to make. */
export function isChange(kind: string): kind is Change {
  return Object.hasOwn(STEPS, kind)
}
