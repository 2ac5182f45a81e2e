import { expect } from 'vitest'
import { type Sources, sources } from '../../src/sources.ts'

/** A rule taken out of a source, and the tests that must fail for it, and no others. */
export interface Break {
  readonly source: keyof Sources | readonly (keyof Sources)[]
  readonly rule: string | RegExp
  readonly instead?: string
  readonly fails: readonly string[]
  /** Tests that fail or not, by who comes first. */
  readonly mayFail?: RegExp
}

const RACES = /^concurrency: /

export const breaks: Readonly<Record<string, Break>> = {
  'the time is that of the beginning of the transaction': {
    source: 'clock',
    rule: 'clock_timestamp()',
    instead: 'now()',
    fails: ['after a wait: a lease that was granted meanwhile is seen', 'after a wait: a lease that ran out meanwhile is not settled'],
    mayFail: RACES,
  },
  'a publication that is not newer is accepted': {
    source: 'publish',
    rule: ' or fence <= r.version',
    fails: [
      'publish: an older fence is superseded and changes no value',
      'publish: the fence of the stored value is superseded',
      'publish: superseded comes before refused',
      'publish: a superseded publication leaves the backoff',
      'subscribe: a publication that changed nothing is not announced',
      'after a wait: a publication older than what was published meanwhile is superseded',
      'after a wait: a publication older than the one that made the row meanwhile is superseded',
      'after a wait: a lease that was taken over meanwhile is not released by a publication that is superseded',
    ],
    // Over several connections the newest can come last by chance.
    mayFail: /^concurrency: of many publications at once the newest stays$/,
  },
  'a publication that is sent again is written again': {
    source: 'publish',
    rule: "when r.published_by = attempt then 'repeated'",
    fails: [
      'publish again: it is accepted, whatever its fence, its basis and its distance from the clock are now',
      'publish again: it changes neither value nor version',
      'publish again: it leaves the lease, also one of its own attempt',
    ],
  },
  'the length of a deadline is ignored': {
    source: 'remaining',
    rule: '<= length',
    instead: 'is not null',
    fails: [
      'clock set back: a lease that ends further away than it is long is over',
      'clock set back: a failure under such a lease is not shared',
      'clock set back: a renewal that is further away than when it was set is due',
      'clock set back: a retry that is further away than when it was set is due',
      'clock set back: a quiet time whose end is further away than it is long is over',
    ],
  },
  'a lease is settled whatever its fence': {
    source: 'settle',
    rule: ' and r.lease_fence = fence',
    fails: ['settle: a lease of another fence is not released'],
  },
  'a lease is settled when it has run out': {
    source: 'settle',
    rule: ' and {schema}.remaining(r.lease_until, r.lease_length, moment) > 0',
    fails: [
      'settle: a lease that ran out shares no failure',
      'clock set back: a failure under such a lease is not shared',
      'after a wait: a lease that ran out meanwhile is not settled',
    ],
  },
  'a publication is not announced': {
    source: 'publish',
    rule: /perform pg_notify.*/,
    fails: [
      'subscribe: an accepted publication is announced',
      'subscribe: a change can be read by the time it is announced',
      'subscribe: changes made through either instance are announced',
      'subscribe: after unsubscribing nothing is announced, and other listeners go on',
      'subscribe: a listener that throws harms neither the operation nor other listeners',
    ],
  },
  'a publication that changed nothing is announced': {
    source: 'publish',
    rule: 'return {schema}.reply_of',
    instead: "if outcome = 'superseded' then perform pg_notify({channel}, r.version || ' ' || r.key); end if; return {schema}.reply_of",
    fails: ['subscribe: a publication that changed nothing is not announced'],
  },
  'durations count from the arrival': {
    source: 'publish',
    rule: 'least(moment, fence)',
    instead: 'moment',
    fails: ['publish: the time to renewal counts from the grant', 'publish: the time to the end counts from the grant'],
  },
  'a fence is only counted': {
    source: 'claim',
    rule: 'greatest(greatest(r.fence, seen, rejected) + 1, moment)',
    instead: 'greatest(r.fence, seen, rejected) + 1',
    fails: ["fence: a fence is the store's clock in microseconds, when nothing is above that"],
  },
  'a fence is only the time': {
    source: 'claim',
    rule: 'greatest(greatest(r.fence, seen, rejected) + 1, moment)',
    instead: 'moment',
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
    rule: 'greatest(version, r.fence)',
    instead: 'version',
    fails: [
      'invalidate: what a fetch in flight brings is rejected too',
      'after a wait: what was granted meanwhile is rejected too',
      'after a wait: what was granted with the row that was made meanwhile is rejected too',
    ],
  },
  'a lease is granted over what somebody else has written meanwhile': {
    source: 'claim',
    rule: 'where s.* *= r',
    fails: [
      'after a wait: a lease that was granted meanwhile is seen',
      'after a wait: a lease that was released meanwhile is not taken over',
      'after a wait: a row that was made meanwhile is seen',
    ],
    mayFail: RACES,
  },
  'a publication is written over what somebody else has written meanwhile': {
    source: 'publish',
    rule: 'where s.* *= r',
    fails: [
      'after a wait: a publication older than what was published meanwhile is superseded',
      'after a wait: a publication older than the one that made the row meanwhile is superseded',
    ],
    mayFail: RACES,
  },
  'a publication that is superseded releases the lease of somebody else': {
    source: 'publish',
    rule: ' and s.owner = attempt',
    fails: ['after a wait: a lease that was taken over meanwhile is not released by a publication that is superseded'],
    mayFail: RACES,
  },
  'a lease is settled by what was found without the lock': {
    source: 'settle',
    rule: ' for update',
    fails: [
      'after a wait: a lease that ran out meanwhile is not settled',
      'after a wait: a lease that was taken over meanwhile is not released by a settlement',
    ],
    mayFail: RACES,
  },
  'a lease is settled by the time before the lock': {
    source: 'settle',
    rule: /(select s\.\* into r [^;]* for update;)\s*(moment := .*;)/,
    instead: '$2 $1',
    fails: ['after a wait: a lease that ran out meanwhile is not settled'],
    mayFail: RACES,
  },
  'a rejection is written over what somebody else has written meanwhile': {
    source: 'invalidate',
    rule: 'where s.* *= r',
    fails: [
      'after a wait: what was granted meanwhile is rejected too',
      'after a wait: what was granted with the row that was made meanwhile is rejected too',
    ],
    mayFail: RACES,
  },
}

/** The sources without the rule, which must have been there. */
export function broken({ source, rule, instead = '' }: Break): Sources {
  const changed = { ...sources }
  for (const each of [source].flat()) {
    changed[each] = sources[each].replace(rule, instead)
    expect(changed[each], `${each}.sql has it: ${rule}`).not.toBe(sources[each])
  }
  return changed
}
