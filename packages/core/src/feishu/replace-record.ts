import { departure } from '../clock.ts'
import type { Credential } from '../credential.ts'
import { managerClosed, TokenError } from '../errors.ts'
import type { Inside } from '../inside.ts'
import { fetchDeadline, leaseMs, type Policy } from '../machine/policy.ts'
import type { Publication, Version } from '../store.ts'
import type { Answer } from '../store-calls.ts'

/** How long to wait for others to let go of the record: longer than a lease. Milliseconds. */
const PATIENCE_MS = 20_000
/** How long a store that is down is tried again when there is something to publish, milliseconds. */
const PUBLISHING_MS = 15_000
const PAUSE_MS = 200
/** Fences are microseconds of the store's clock; behind fences that it has given out before, it gives out one after the other. No clock is so slow. */
const LEAST_FENCES_PER_MS = 500

/** What is to be in the record. */
export interface Replacement {
  readonly value: string
  /** Life remaining when it was made, milliseconds. 0: nobody is ever served it. */
  readonly expiresInMs: number
  /** Until it should be renewed, from the same moment, milliseconds. */
  readonly renewInMs: number
  /** Whether it may be stored a second time once it may have been in the record. Not if its renewal uses it up: somebody may have done that by then. */
  readonly repeatable: boolean
}

/**
 * Replaces what the store has for a credential, whatever it is still good for. Those who renew it meanwhile are waited for, so that theirs
 * does not replace this one.
 *
 * @param make is called once, with the lease in hand. `signal` is aborted when the lease is about to end.
 * @returns what was made, the version it was stored under, and how long ago it was asked for, milliseconds
 * @throws TokenError `STORE_UNAVAILABLE`, `TIMEOUT`, `CLOSED`, and what `make` throws
 */
export async function replaceRecord<Made extends Replacement>(
  inside: Inside,
  credential: Credential,
  make: (signal: AbortSignal) => Promise<Made>,
): Promise<{ readonly made: Made; readonly version: Version; readonly ageMs: number }> {
  const { calls, clock } = inside
  const { key, policy } = credential
  let grant: Granted | undefined = await claimOver(inside, credential)
  const sentAt = departure(clock)
  // A store counts a life from the grant under which it is published: what the machine sleeps since is no part of it any more.
  const grantedAt = sentAt()
  let madeAt = () => grantedAt
  let sending: Sending = { heldSince: sentAt, heldMs: 0, times: 0 }
  const made = await underLease(inside, credential, grant, make)
  const { value, expiresInMs, renewInMs } = made
  const until = clock.monotonic() + PUBLISHING_MS
  // What was made so long ago, as by a machine that slept, does not replace what has come since.
  const isLate = () => clock.monotonic() >= Math.min(until, inside.graceEndsAt, sentAt() + leaseMs(policy) + PUBLISHING_MS)
  const done = (version: Version) => ({ made, version, ageMs: clock.monotonic() - sentAt() })
  for (;;) {
    let cause: unknown
    let published: Answer<Publication> | undefined
    try {
      if (grant === undefined) {
        grant = await claimOver(inside, credential)
        madeAt = sentAt
        sending = { heldSince: departure(clock), heldMs: 0, times: 0 }
      }
      published = await calls.publish(key, grant.attempt, grant.fence, (now) => {
        if (sending.times === 0) sending.heldMs = now - sending.heldSince()
        sending.times += 1
        return { value, renewInMs: madeAt() + renewInMs - now, expiresInMs: Math.max(0, madeAt() + expiresInMs - now) }
      })
    } catch (error) {
      cause = error
    }
    if (grant !== undefined && published !== undefined) {
      inside.learn(credential, published.answer.snapshot, published.sentAt)
      switch (
        outcome(
          published.answer,
          grant.fence,
          { ...sending, ageMs: clock.monotonic() - sending.heldSince() + grant.knownAfterMs },
          made,
          policy,
        )
      ) {
        case 'stored':
          return done(grant.fence)
        case 'unknown':
          throw overtaken(key)
        case 'not-stored':
          grant = undefined
      }
    }
    // Another lease is not to be had any more.
    if (isLate() || (inside.closed && grant === undefined)) {
      // As below: where the last holder vanished the lease runs out.
      if (grant !== undefined && !grant.takeover) void inside.track(release(inside, credential, grant))
      if (cause === undefined && !inside.closed) throw overtaken(key)
      throw notStored(key, inside.closed ? 'before the manager was closed' : `within ${PUBLISHING_MS} ms`, cause ?? managerClosed())
    }
    await pause(inside, PAUSE_MS)
  }
}

/** A publication under one grant. */
interface Sending {
  /** When the grant was known, of a machine that has slept since earlier by as much. Milliseconds. */
  readonly heldSince: () => number
  /** For how long, when it was first sent. */
  heldMs: number
  times: number
}

/** Whether what was published has been in the record. `ageMs`: since its grant, at the most. */
function outcome(
  { kind, snapshot: { version, rejectedUpTo } }: Publication,
  fence: Version,
  { heldMs, times, ageMs }: Sending & { readonly ageMs: number },
  { repeatable }: Replacement,
  policy: Policy,
): 'stored' | 'not-stored' | 'unknown' {
  // A report about what was there before also takes what is made meanwhile, unless that was granted later.
  if (kind === 'accepted') return rejectedUpTo < fence || !repeatable ? 'stored' : 'not-stored'
  if (repeatable || version < fence) return 'not-stored'
  // Nobody else is granted the lease while this one holds it: the record had this value, the answer was lost, and another has gone on from it.
  // What that one has used up must not come back.
  const heldFor = leaseMs(policy)
  const isHeld = ageMs < heldFor && version < fence + heldFor * 1_000
  if (isHeld && version >= fence + heldMs * LEAST_FENCES_PER_MS) return 'stored'
  // Or the lease was over when another was granted it, as it had run out or the store's clock was set back and took it along: that one has renewed
  // what this replaces, or this. Of what was sent once the answer is this one; of what was sent twice it may have been lost.
  return times === 1 ? 'not-stored' : 'unknown'
}

interface Granted {
  readonly attempt: string
  readonly fence: Version
  readonly deadline: number
  readonly takeover: boolean
  /** So long after it was asked for: the lease may have begun with that. Milliseconds. */
  readonly knownAfterMs: number
}

/** The lease on a record, whatever it holds. */
async function claimOver(inside: Inside, credential: Credential): Promise<Granted> {
  const { calls, clock, random } = inside
  const { key, policy } = credential
  const until = clock.monotonic() + PATIENCE_MS
  let rejected = 0
  while (!inside.closed) {
    const attempt = random.id()
    // What is stored now is to be newer than whatever is served here, though the store may have forgotten that.
    // A failure to renew says nothing about this: under a configuration that is nobody else's it does not hold this claim back.
    const { answer, sentAt } = await calls.claim(key, attempt, {
      leaseMs: leaseMs(policy),
      seen: inside.seen(credential),
      rejected,
      config: attempt,
    })
    const { snapshot } = answer
    const leaseInMs = snapshot.lease?.expiresInMs ?? 0
    // It may say that what this process serves meanwhile is rejected.
    inside.learn(credential, snapshot, sentAt)
    if (answer.kind === 'granted') {
      const deadline = fetchDeadline(sentAt, leaseInMs)
      // One that arrives when it is all but over is left to run out.
      const now = clock.monotonic()
      if (now < deadline) return { attempt, fence: answer.fence, deadline, takeover: answer.takeover, knownAfterMs: now - sentAt }
    }
    if (answer.kind === 'fresh') {
      const first = rejected === 0
      rejected = Math.max(rejected, snapshot.version)
      if (first) continue
    }
    if (clock.monotonic() >= until) {
      const message = `Other processes have been renewing "${key}" for ${PATIENCE_MS} ms without an end. Try again.`
      throw new TokenError('TIMEOUT', message, { retryable: true })
    }
    await pause(inside, PAUSE_MS)
  }
  throw managerClosed()
}

async function underLease<T>(
  inside: Inside,
  credential: Credential,
  grant: Granted,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { clock } = inside
  const { key } = credential
  const controller = new AbortController()
  const late = new TokenError('UPSTREAM_UNAVAILABLE', `What was to replace "${key}" did not come within its deadline.`, { retryable: true })
  const cancel = clock.schedule(() => controller.abort(late), Math.max(0, grant.deadline - clock.monotonic()))
  try {
    if (clock.monotonic() >= inside.graceEndsAt) throw managerClosed()
    return await work(controller.signal)
  } catch (error) {
    // A lease that says that its last holder vanished is let run out, so that the next one says it too.
    if (!grant.takeover) await release(inside, credential, grant)
    throw error
  } finally {
    cancel()
  }
}

/** Gives a lease back. If that fails it runs out by itself. */
async function release(inside: Inside, credential: Credential, { attempt, fence }: Granted): Promise<void> {
  try {
    const { answer, sentAt } = await inside.calls.settle(credential.key, attempt, fence, { backoffMs: 0 })
    // What is served here may have been rejected meanwhile.
    inside.learn(credential, answer, sentAt)
  } catch {}
}

function overtaken(key: string): TokenError {
  const message = `What was to replace "${key}" was overtaken: a newer one has taken the place, and stays there. Begin again if it is not meant to.`
  return new TokenError('TIMEOUT', message, { retryable: false })
}

function notStored(key: string, when: string, cause: unknown): TokenError {
  const message = `What was to replace "${key}" could not be stored ${when}, and is lost unless only the store's answer was. Begin again when the store is back.`
  return new TokenError('STORE_UNAVAILABLE', message, { retryable: false, cause })
}

function pause({ clock }: Inside, ms: number): Promise<void> {
  return new Promise((resolve) => clock.schedule(resolve, ms, true))
}
