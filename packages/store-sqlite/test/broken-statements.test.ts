import { describe, expect, test } from 'vitest'
import { type Sources, sources } from '../src/statements.ts'
import { conformance } from './support/conformance.ts'

type Name = 'record' | keyof Sources['questions'] | keyof Sources['changes']

/** A rule taken out of a statement, and the tests that must fail for it, and no others. */
interface Break {
  readonly statement: Name
  readonly rule: string
  readonly instead?: string
  readonly fails: readonly string[]
}

const breaks: Readonly<Record<string, Break>> = {
  'a publication that is not newer is accepted': {
    statement: 'publish',
    rule: ' or version >= :fence',
    fails: [
      'publish: an older fence is superseded and changes no value',
      'publish: the fence of the stored value is superseded',
      'publish: superseded comes before refused',
      'publish: a superseded publication leaves the backoff',
      'concurrency: of many publications at once the newest stays',
    ],
  },
  'a publication that is sent again is known by its fence': {
    statement: 'publish',
    rule: 'published_by = :attempt',
    instead: 'published_by = :attempt and version = :fence',
    fails: [
      'publish again: it is accepted, whatever its fence, its basis and its distance from the clock are now',
      'publish again: it changes neither value nor version',
    ],
  },
  'what a value was derived from does not matter': {
    statement: 'publish',
    rule: 'version > :basedOn or ',
    fails: ['publish: a value derived from an older version than the stored one is superseded'],
  },
  'a superseded publication keeps the lease': {
    statement: 'publish',
    rule: "iif(owner = :attempt, 'release', 'superseded')",
    instead: "'superseded'",
    fails: [
      'publish: a superseded publication releases the lease of its attempt',
      'publish: a publication superseded for what it is based on releases the lease of its attempt',
    ],
  },
  'a fence may be any time ahead': {
    statement: 'publish',
    rule: "when :fence - :now > :maxAhead then 'refused'",
    fails: [
      "publish: a fence further ahead of the store's clock than maxAheadMs is refused and changes nothing",
      'publish: a refused publication leaves the lease of its attempt',
    ],
  },
  'durations count from the arrival': {
    statement: 'accept',
    rule: 'renew_at = min(:now, :fence) + :renewIn',
    instead: 'renew_at = :now + :renewIn',
    fails: ['publish: the time to renewal counts from the grant'],
  },
  'an accepted publication keeps the quiet time': {
    statement: 'accept',
    rule: 'quiet_until = :now + :quiet',
    instead: 'quiet_until = coalesce(:now + :quiet, quiet_until)',
    fails: ['invalidate: a publication without a quiet time ends the one before'],
  },
  'an accepted publication keeps the backoff': {
    statement: 'accept',
    rule: 'failures = 0,',
    fails: ['publish: an accepted publication clears the backoff and its count'],
  },
  'a publication does not raise the fence': {
    statement: 'accept',
    rule: 'fence = max(fence, :fence),',
    fails: ['fence: a fence is above everything published'],
  },
  'a publication takes back a rejection': {
    statement: 'accept',
    rule: 'version = :fence,',
    instead: 'version = :fence, rejected_up_to = 0,',
    fails: ['publish: a value may be born rejected: it is accepted and stays rejected'],
  },
  'the length of the lease is ignored': {
    statement: 'record',
    rule: 'lease_until - :now > lease_length',
    instead: 'false',
    fails: [
      'clock set back: a lease that ends further away than it is long is over',
      'clock set back: a failure under such a lease is not shared',
    ],
  },
  'the length of the renewal is ignored': {
    statement: 'record',
    rule: 'renew_at - :now > renew_length',
    instead: 'false',
    fails: ['clock set back: a renewal that is further away than when it was set is due'],
  },
  'the length of the end is ignored': {
    statement: 'record',
    rule: 'expires_at - :now > expires_length',
    instead: 'false',
    fails: ['clock set back: a value whose end is further away than when it was set has ended'],
  },
  'the length of the retry is ignored': {
    statement: 'record',
    rule: 'retry_at - :now > retry_length',
    instead: 'false',
    fails: ['clock set back: a retry that is further away than when it was set is due'],
  },
  'the length of the quiet time is ignored': {
    statement: 'record',
    rule: 'quiet_until - :now > quiet_length',
    instead: 'false',
    fails: ['clock set back: a quiet time whose end is further away than it is long is over'],
  },
  'a lease is settled whatever its fence': {
    statement: 'settle',
    rule: ' and lease_fence = :fence',
    fails: ['settle: a lease of another fence is not released'],
  },
  'a lease is settled whoever owns it': {
    statement: 'settle',
    rule: 'owner = :attempt and ',
    fails: ["settle: another attempt's lease is not released"],
  },
  'a lease is settled when it has run out': {
    statement: 'settle',
    rule: ' and lease_in > 0',
    fails: ['settle: a lease that ran out shares no failure', 'clock set back: a failure under such a lease is not shared'],
  },
  'failures are not counted': {
    statement: 'fail',
    rule: 'failures + 1',
    instead: '1',
    fails: ['settle: failures are counted'],
  },
  'a fresh value comes before an own lease': {
    statement: 'claim',
    rule: "when lease_in > 0 and owner = :attempt then 'granted'",
    instead: "when lease_in > 0 and owner = :attempt and coalesce(renew_in, 0) <= 0 then 'granted'",
    fails: [
      "claim: an attempt's own live lease comes before a fresh value",
      'claim: a value below the highest version the caller has seen is not fresh',
      'claim: a value that the caller knows to be rejected is not fresh',
      'claim: a value that was invalidated is not fresh',
      'claim: a fresh value comes before a backoff',
      "claim: a fresh value comes before another attempt's live lease",
      'takeover: the lease after one whose holder published late is no takeover',
      'fence: a fence is above one before, also when a smaller one was published since',
      'durable: records outlive the instances that wrote them',
    ],
  },
  'what the caller has seen does not matter': {
    statement: 'claim',
    rule: ' and version >= :seen',
    fails: [
      'claim: a value below the highest version the caller has seen is not fresh',
      'durable: records outlive the instances that wrote them',
    ],
  },
  'what the caller knows to be rejected does not matter': {
    statement: 'claim',
    rule: 'max(rejected_up_to, :rejected)',
    instead: 'rejected_up_to',
    fails: ['claim: a value that the caller knows to be rejected is not fresh'],
  },
  'a backoff holds back every configuration': {
    statement: 'claim',
    rule: ' and (config is null or :config is null or config = :config)',
    fails: [
      "claim: an attempt's own live lease comes before a backoff",
      "claim: a backoff comes before another attempt's live lease",
      'claim: a backoff does not hold back a caller with another configuration',
      'settle: the backoff is that of the last failure, with its configuration',
    ],
  },
  "another's lease is taken": {
    statement: 'claim',
    rule: "when lease_in > 0 then 'held'",
    fails: [
      'read: reading changes nothing',
      'claim: attempts that differ by case are different attempts',
      "claim: another attempt's live lease is answered with the time it has left",
      'concurrency: of many claims at once exactly one is granted, the others are held',
    ],
  },
  'a fence is only counted': {
    statement: 'grant',
    rule: 'max(max(fence, :seen, :rejected) + 1, :now)',
    instead: 'max(fence, :seen, :rejected) + 1',
    fails: ["fence: a fence is the store's clock in microseconds, when nothing is above that"],
  },
  'a fence is only the time': {
    statement: 'grant',
    rule: 'max(max(fence, :seen, :rejected) + 1, :now)',
    instead: ':now',
    fails: [
      'fence: a fence is above the highest version the caller has seen',
      'fence: a fence is above the highest version the caller knows to be rejected',
      'fence: a fence is above everything published',
      'fence: a fence is above everything rejected',
      'fence: a fence that is no safe integer is not granted',
    ],
  },
  'a takeover is not told': {
    statement: 'grant',
    rule: 'owner is not null',
    instead: 'false',
    fails: [
      'takeover: the lease after one that ran out unreleased is a takeover',
      'takeover: a claim that is sent again says once more that it is a takeover',
    ],
  },
  'a slow node takes the newer value': {
    statement: 'invalidate',
    rule: "when :version < version then 'invalidated'",
    fails: ['invalidate: a version below the stored one changes nothing'],
  },
  'a value that was vouched for is rejected': {
    statement: 'invalidate',
    rule: "when :version = version and quiet_in > 0 then 'invalidated'",
    fails: [
      'invalidate: the stored version within its quiet time changes nothing',
      'invalidate: the quiet time counts from the acceptance',
    ],
  },
  'a rejection leaves out the fetch in flight': {
    statement: 'reject',
    rule: 'rejected_up_to = max(:version, fence)',
    instead: 'rejected_up_to = :version',
    fails: ['invalidate: what a fetch in flight brings is rejected too'],
  },
}

/** The statements without the rule, which must have been there once. */
function broken({ statement, rule, instead = '' }: Break): Sources {
  const without = (source: string) => {
    expect(source.split(rule).length, `${statement}.sql has it once: ${rule}`).toBe(2)
    return source.replace(rule, () => instead)
  }
  const { record, questions, changes } = sources
  if (statement === 'record') return { ...sources, record: without(record) }
  if (statement in questions) {
    const name = statement as keyof typeof questions
    return { ...sources, questions: { ...questions, [name]: without(questions[name]) } }
  }
  const name = statement as keyof typeof changes
  return { ...sources, changes: { ...changes, [name]: without(changes[name]) } }
}

/** Names of the tests that fail with these statements. */
async function failures(changed: Sources): Promise<string[]> {
  const runs = new Map<string, () => Promise<void>>()
  conformance((name, run) => runs.set(name, run), changed, 'normal')
  const failed: string[] = []
  for (const [name, run] of runs) await run().catch(() => failed.push(name))
  return failed
}

describe.concurrent('a rule taken out of a statement is missed', () => {
  test('nothing fails with the statements as they are', async () => {
    expect(await failures(sources)).toEqual([])
  })

  test.each(Object.entries(breaks))('%s', async (_, each) => {
    expect(await failures(broken(each))).toEqual(each.fails)
  })
}, 60_000)
