import { expect } from 'vitest'
import type { Names } from '../../src/names.ts'
import { type Sources, type Statements, sources, statementsOf } from '../../src/statements.ts'

/** A rule taken out of a statement, and the tests that must fail for it, and no others. */
export interface Break {
  readonly source?: keyof Sources
  readonly rule?: string | RegExp
  readonly instead?: string
  /** Changes the statements as they are sent, where a source is not enough. */
  readonly statements?: (names: Names) => Statements
  readonly fails: readonly string[]
  /** Tests that fail or not, by who comes first. */
  readonly mayFail?: RegExp
  /** The only test that is run: a statement so broken that most tests fail proves nothing by it. */
  readonly only?: string
}

export const MANY_KEYS = 'of many new keys each has one holder'
const RACES = /^concurrency: |^of many new keys/

const AFTER_A_WAIT = [
  'after a wait: a lease is granted from the time when the row was free',
  'after a wait: a lease that ran out meanwhile is taken over',
  'after a wait: a lease that was granted meanwhile is seen',
  'after a wait: a time to the end counts from the time when the row was free',
  'after a wait: a lease that ran out meanwhile is not settled',
]

/** What the insertion that failed had worked out before it waited for the row. */
function excludedTime(names: Names): Statements {
  const statements = statementsOf(sources, names)
  const stale = (statement: string) => {
    const [before = '', after = ''] = statement.split('on conflict')
    return `${before}on conflict${after.replace(/\(select \(extract.*offset 0\)/, '(select excluded.answered_at as now offset 0)')}`
  }
  const { claim, publish, settle, invalidate } = statements
  return { ...statements, claim: stale(claim), publish: stale(publish), settle: stale(settle), invalidate: stale(invalidate) }
}

export const breaks: Readonly<Record<string, Break>> = {
  'the time is that of the beginning of the transaction': {
    source: 'clock',
    rule: 'clock_timestamp()',
    instead: 'now()',
    fails: AFTER_A_WAIT,
    mayFail: RACES,
  },
  'the time is that of the insertion that failed': { statements: excludedTime, fails: AFTER_A_WAIT, mayFail: RACES },
  'a publication that is not newer is accepted': {
    source: 'publish',
    rule: ' or $3::bigint <= record.version',
    fails: [
      'publish: an older fence is superseded and changes no value',
      'publish: the fence of the stored value is superseded',
      'publish: superseded comes before refused',
      'publish: a superseded publication leaves the backoff',
      'subscribe: a publication that changed nothing is not announced',
      'after a wait: a publication older than what was published meanwhile is superseded',
    ],
    // Over several connections the newest can come last by chance.
    mayFail: /^concurrency: of many publications at once the newest stays$/,
  },
  'a publication that is sent again is written again': {
    source: 'publish',
    rule: "when r.published_by = $2::text then 'repeated'",
    fails: [
      'publish again: it is accepted, whatever its fence, its basis and its distance from the clock are now',
      'publish again: it changes neither value nor version',
      'publish again: it leaves the lease, also one of its own attempt',
    ],
  },
  'the length of a deadline is ignored': {
    source: 'record',
    rule: /<= r\.\w+_length/g,
    instead: 'is not null',
    fails: [
      'clock set back: a lease that ends further away than it is long is over',
      'clock set back: a failure under such a lease is not shared',
      'clock set back: a renewal that is further away than when it was set is due',
      'clock set back: a value whose end is further away than when it was set has ended',
      'clock set back: a retry that is further away than when it was set is due',
      'clock set back: a quiet time whose end is further away than it is long is over',
    ],
  },
  'a lease is settled whatever its fence': {
    source: 'settle',
    rule: ' and r.lease_fence = $3::bigint',
    instead: ' and $3::bigint > 0',
    fails: ['settle: a lease of another fence is not released'],
  },
  'a lease is settled when it has run out': {
    source: 'settle',
    rule: ' and record.lease_in > 0',
    fails: [
      'settle: a lease that ran out shares no failure',
      'clock set back: a failure under such a lease is not shared',
      'after a wait: a lease that ran out meanwhile is not settled',
    ],
  },
  'a publication is not announced': {
    source: 'write',
    rule: "'accepted', ",
    fails: [
      'subscribe: an accepted publication is announced',
      'subscribe: a change can be read by the time it is announced',
      'subscribe: changes made through either instance are announced',
      'subscribe: after unsubscribing nothing is announced, and other listeners go on',
      'subscribe: a listener that throws harms neither the operation nor other listeners',
    ],
  },
  'a publication that changed nothing is announced': {
    source: 'write',
    rule: "'accepted', ",
    instead: "'accepted', 'superseded', ",
    fails: ['subscribe: a publication that changed nothing is not announced'],
  },
  'durations count from the arrival': {
    source: 'publish',
    rule: 'least(record.now, $3::bigint)',
    instead: 'record.now',
    fails: ['publish: the time to renewal counts from the grant', 'publish: the time to the end counts from the grant'],
  },
  'a fence is only counted': {
    source: 'claim',
    rule: 'greatest(greatest(record.fence, $4::bigint, $5::bigint) + 1, record.now)',
    instead: 'greatest(record.fence, $4::bigint, $5::bigint) + 1',
    fails: [
      "fence: a fence is the store's clock in microseconds, when nothing is above that",
      'after a wait: a lease is granted from the time when the row was free',
    ],
  },
  'a fence is only the time': {
    source: 'claim',
    rule: 'greatest(greatest(record.fence, $4::bigint, $5::bigint) + 1, record.now)',
    instead: 'record.now',
    fails: [
      'fence: a fence is above the highest version the caller has seen',
      'fence: a fence is above the highest version the caller knows to be rejected',
      'fence: a fence is above everything published',
      'fence: a fence is above everything rejected',
      'fence: a fence that is no safe integer is not granted',
    ],
  },
  'a rejection leaves out the fetch in flight': {
    source: 'invalidate',
    rule: 'greatest($2::bigint, record.fence) as rejected',
    instead: '$2::bigint as rejected',
    fails: ['invalidate: what a fetch in flight brings is rejected too', 'after a wait: what was granted meanwhile is rejected too'],
  },
  'a row is selected where none is inserted': {
    source: 'write',
    rule: /with written as \([\s\S]*returning r\.\*\n\)/,
    instead: `with inserted as (
        insert into {schema}.records as r (id, key, {columns})
        select sha256(convert_to($1::text, 'UTF8')), $1::text, decided.*
        from (select (null::{schema}.records).*) as r, lateral ({decision}) as decided where {known}
        on conflict (id) do nothing returning r.*
      ), written as (
        select * from inserted union all
        select r.* from {schema}.records as r where id = sha256(convert_to($1::text, 'UTF8')) and not exists (select from inserted)
      )`,
    fails: [MANY_KEYS],
    only: MANY_KEYS,
  },
}

/** The statements without the rule, which must have been there. */
export function broken({ source, rule, instead = '', statements }: Break): (names: Names) => Statements {
  if (statements !== undefined) return statements
  if (source === undefined || rule === undefined) throw new Error('a break needs a source and a rule')
  const changed = sources[source].replace(rule, () => instead)
  expect(changed, `${source}.sql has it: ${rule}`).not.toBe(sources[source])
  return (names) => statementsOf({ ...sources, [source]: changed }, names)
}
