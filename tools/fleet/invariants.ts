import { type Entry, withoutNamespace } from './entry.ts'

type Of<Kind extends Entry['kind']> = Extract<Entry, { readonly kind: Kind }>
type Call = Of<'store'>

export interface Expectation {
  /** Nothing was killed, stopped or cut: then no two requests for one token may be under way at once. */
  readonly faultless?: boolean
  /** How long a caller may wait, counted from the last fault, milliseconds: a lease, a request's deadline and some slack. */
  readonly longestWaitMs?: number
}

/** A lease of 8 s, a request's hard deadline of 7 s, and what a loaded machine adds. */
const LONGEST_WAIT_MS = 20_000

/**
 * What in a fleet's history must not be, one sentence for each. The numbers are those of the protocol's invariants. Two calls of
 * different processes are compared only where one was answered before the other was sent: else their order is not known.
 */
export function violations(history: readonly Entry[], expectation: Expectation = {}): string[] {
  const entries = [...history].sort((one, other) => one.at - other.at)
  return [
    ...(expectation.faultless === true ? overlappingFetches(entries) : []),
    ...storeViolations(entries),
    ...differentValues(entries).map(({ what }) => what),
    ...longWaits(entries, expectation.longestWaitMs ?? LONGEST_WAIT_MS),
    ...nodesOf(entries).flatMap((node) => nodeViolations(entries.filter((entry) => entry.node === node))),
  ]
}

/** I2, I3, I6 and what can be seen of I7: what concerns the store. `entries`: in order of time. */
export function storeViolations(entries: readonly Entry[]): string[] {
  const calls = entries.filter((entry) => entry.kind === 'store') as Call[]
  const firstSentAt = new Map<string, number>()
  for (const { attempt = '', operation, sentAt } of calls) {
    if (operation === 'claim') firstSentAt.set(attempt, Math.min(sentAt, firstSentAt.get(attempt) ?? sentAt))
  }
  const passed = passages(entries)
  const ends = calls.filter(({ operation }) => operation === 'publish' || operation === 'settle')
  return splitAtLosses(calls, entries).flatMap((age) =>
    [...Map.groupBy(age, ({ key }) => key).values()].flatMap((of) => keyViolations(of, passed, firstSentAt, ends)),
  )
}

/** When time was moved on, and by how much. */
function passages(entries: readonly Entry[]): Of<'passed'>[] {
  return entries.filter((entry) => entry.kind === 'passed')
}

function keyViolations(
  calls: readonly Call[],
  passed: readonly Of<'passed'>[],
  firstSentAt: ReadonlyMap<string, number>,
  ends: readonly Call[],
): string[] {
  const answered = calls.filter(({ outcome }) => outcome !== 'failed')
  // A call that failed for its caller may have been carried out all the same.
  return [
    ...steppingBack(answered),
    ...olderAccepted(answered),
    ...takenLeases(calls, passed, firstSentAt, ends),
    ...repeatedFences(answered),
    ...repeatedPublications(answered),
  ]
}

/** The store's calls between one loss of its data and the next; those that were under way at a loss are left out. */
function splitAtLosses(calls: readonly Call[], entries: readonly Entry[]): Call[][] {
  const marks = entries.filter((entry) => entry.kind === 'mark')
  const starts = marks.filter(({ what }) => what === 'data-loss').map(({ at }) => at)
  return [Number.NEGATIVE_INFINITY, ...starts].map((start) => {
    const end = marks.find(({ what, at }) => at > start && (what === 'losing-data' || what === 'data-loss'))?.at ?? Number.POSITIVE_INFINITY
    return calls.filter((call) => call.sentAt > start && call.at < end)
  })
}

/** I1 */
function overlappingFetches(entries: readonly Entry[]): string[] {
  const fetches = entries.filter((entry) => entry.kind === 'fetch').sort((one, other) => one.sentAt - other.sentAt)
  return fetches.flatMap((fetch, index) => {
    const overlap = fetches.slice(index + 1).find((other) => other.sentAt < fetch.at)
    return overlap === undefined ? [] : [`I1: ${fetch.node} and ${overlap.node} asked the upstream at the same time`]
  })
}

/** I2 */
function steppingBack(calls: readonly Call[]): string[] {
  return follow(calls, {
    note: (call) => call.version,
    check: (call, highest) =>
      call.version !== undefined && call.version < highest.value
        ? `I2: the store said version ${highest.value} to ${highest.call.node} and afterwards ${call.version} to ${call.node}`
        : undefined,
  })
}

/** I3 */
function olderAccepted(calls: readonly Call[]): string[] {
  const accepted = calls.filter(({ operation, outcome }) => operation === 'publish' && outcome === 'accepted')
  return follow(accepted, {
    note: (call) => call.fence,
    check: (call, highest) =>
      call.fence !== undefined && (call.fence < highest.value || (call.fence === highest.value && call.attempt !== highest.call.attempt))
        ? `I3: ${call.node} published ${call.fence} after ${highest.call.node} had published ${highest.value}`
        : undefined,
  })
}

interface Highest {
  readonly value: number
  readonly call: Call
}

/** Compares each call with the highest value among those that were answered before it was sent. */
function follow(
  calls: readonly Call[],
  { note, check }: { note(call: Call): number | undefined; check(call: Call, highest: Highest): string | undefined },
): string[] {
  const found: string[] = []
  const answered = [...calls].sort((one, other) => one.at - other.at)
  let next = 0
  let highest: Highest | undefined
  for (const call of [...calls].sort((one, other) => one.sentAt - other.sentAt)) {
    for (let each = answered[next]; each !== undefined && each.at < call.sentAt; each = answered[++next]) {
      const value = note(each)
      if (value !== undefined && (highest === undefined || value > highest.value)) highest = { value, call: each }
    }
    const wrong = highest === undefined ? undefined : check(call, highest)
    if (wrong !== undefined) found.push(wrong)
  }
  return found
}

/** I6: nobody is granted a lease while another attempt holds one that it has neither used nor given back, by any of these `ends`. */
function takenLeases(
  calls: readonly Call[],
  passed: readonly Of<'passed'>[],
  firstSentAt: ReadonlyMap<string, number>,
  ends: readonly Call[],
): string[] {
  const grants = calls.filter(({ operation, outcome }) => operation === 'claim' && outcome === 'granted')
  return grants.flatMap((grant, index) =>
    grants.slice(index + 1).flatMap((other) => {
      if (other.attempt === grant.attempt || other.sentAt <= grant.at || grant.leaseMs === undefined) return []
      const skippedMs = passed.reduce((sum, { at, ms }) => (at > grant.sentAt && at < other.at ? sum + ms : sum), 0)
      // A claim that was sent again is answered with the lease it was granted before, which is no longer for it.
      const grantedAt = firstSentAt.get(grant.attempt ?? '') ?? grant.sentAt
      if (other.at + skippedMs >= grantedAt + grant.leaseMs) return []
      const isDone = ends.some(({ attempt, sentAt }) => attempt === grant.attempt && sentAt < other.at)
      return isDone ? [] : [`I6: ${other.node} was granted a lease while ${grant.node} held one`]
    }),
  )
}

/** Of I7: a fence belongs to one attempt. */
function repeatedFences(calls: readonly Call[]): string[] {
  const owners = new Map<number, string>()
  return calls.flatMap(({ operation, outcome, fence, attempt = '', node }) => {
    if (operation !== 'claim' || outcome !== 'granted' || fence === undefined) return []
    const owner = owners.get(fence) ?? attempt
    owners.set(fence, owner)
    return owner === attempt ? [] : [`I7: ${node} was granted the fence ${fence}, which another attempt had`]
  })
}

/**
 * Of I7: a publication that is accepted once more has published nothing else. A ticket that is published under another fence, over a dead one,
 * is another publication under the same attempt.
 */
function repeatedPublications(calls: readonly Call[]): string[] {
  const accepted = calls.filter(({ operation, outcome }) => operation === 'publish' && outcome === 'accepted')
  return [...Map.groupBy(accepted, ({ attempt }) => attempt).values()].flatMap((its) => {
    const [first] = its
    if (first === undefined || its.some(({ fence }) => fence !== first.fence)) return []
    return its
      .filter(({ version }) => version !== first.version)
      .map(({ node, fence, version }) => `I7: ${node} published ${fence} again, and the version went from ${first.version} to ${version}`)
  })
}

/** A token that was served as another value than before. */
export interface OtherValue {
  readonly what: string
  readonly key?: string
  readonly at: number
}

/** A version that was published is one value, whoever serves it. One that only a process knows is its own. */
export function differentValues(entries: readonly Entry[]): OtherValue[] {
  const published = new Set(
    entries.flatMap((entry) =>
      entry.kind === 'store' && entry.operation === 'publish' && entry.outcome === 'accepted'
        ? [`${recordOf(withoutNamespace(entry.key))} ${entry.fence}`]
        : [],
    ),
  )
  const values = new Map<string, Of<'served'>>()
  return entries.flatMap((entry): OtherValue[] => {
    if (entry.kind !== 'served') return []
    const { key, version, node, at } = entry
    const name = `${recordOf(key)} ${version}`
    if (!published.has(name)) return []
    const first = values.get(name) ?? entry
    values.set(name, first)
    if (first.digest === entry.digest) return []
    return [
      { what: `${node} served another value as ${key ?? 'version'} ${version} than ${first.node}`, at, ...(key !== undefined && { key }) },
    ]
  })
}

/** What is served of an app need not say so. */
function recordOf(key: string | undefined): string {
  return key === undefined || key.endsWith('/app-access-token') ? 'app-access-token' : key
}

/** I4 */
function longWaits(entries: readonly Entry[], longestMs: number): string[] {
  const faults = entries.filter(({ kind }) => kind === 'mark').map(({ at }) => at)
  return entries.flatMap((entry) => {
    if (entry.kind !== 'waited') return []
    const lastFault = Math.max(entry.askedAt, ...faults.filter((at) => at < entry.at))
    return entry.at - lastFault > longestMs
      ? [`I4: ${entry.callers} callers of ${entry.node} waited ${(entry.at - entry.askedAt).toFixed(0)} ms`]
      : []
  })
}

/** I5, I8 and what else concerns one process alone. */
function nodeViolations(entries: readonly Entry[]): string[] {
  const found: string[] = []
  let served = 0
  let rejected: { readonly version: number; readonly at: number } | undefined
  for (const entry of entries) {
    const { node } = entry
    if (entry.kind === 'event' && entry.type === 'rejected' && entry.key.endsWith('/app-access-token') && entry.version !== undefined) {
      if (rejected === undefined || entry.version > rejected.version) rejected = { version: entry.version, at: entry.at }
    }
    if (entry.kind === 'served') {
      if (entry.version < served) found.push(`I5: ${node} served version ${entry.version} after ${served}`)
      if (rejected !== undefined && entry.version <= rejected.version && entry.askedAt > rejected.at) {
        found.push(`I5: ${node} served version ${entry.version}, which it knew to be rejected`)
      }
      served = Math.max(served, entry.version)
    }
    if (entry.kind === 'served-expired') found.push(`I5: ${node} served version ${entry.version} ${-entry.lifeMs} ms after its end`)
    if (entry.kind === 'served-rejected') {
      found.push(`I5: ${node} served version ${entry.version}, and had been told that ${entry.rejectedUpTo} and all before are rejected`)
    }
    if (entry.kind === 'failed' && entry.code === 'not a TokenError') found.push(`a caller of ${node} got: ${entry.message}`)
    if (entry.kind === 'closed' && entry.asked !== entry.settled) {
      found.push(`I8: ${entry.asked} callers asked ${node}, ${entry.settled} were answered`)
    }
  }
  return found
}

function nodesOf(entries: readonly Entry[]): string[] {
  return [...new Set(entries.filter(({ kind }) => kind !== 'mark' && kind !== 'passed').map(({ node }) => node))]
}
