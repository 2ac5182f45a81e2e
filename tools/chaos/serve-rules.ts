import { differentValues, type Entry } from '@tokenwell/fleet'
import { type Account, stoppedMs } from './account.ts'
import type { Violation } from './violation.ts'

/**
 * How long after its end a token may be served, milliseconds. The platform says how long it lives in whole seconds, rounded down, and
 * processes count from when they asked: in practice the last one is served well before. What is left is the way from the decision to the
 * clock that is read afterwards, on a machine that has more to do than it can.
 */
const LATE_MS = 100

/** I5 and what else concerns the tokens that callers were given. */
export function serveViolations(account: Account): Violation[] {
  const { entries } = account
  const byNode = Map.groupBy(entries, ({ node }) => node)
  return [
    ...[...byNode.values()].flatMap((its) => [...goingBack(its), ...ownRejections(its)]),
    ...lateServes(account),
    ...differentValues(entries),
    ...entries.flatMap((entry): Violation[] => {
      const { at, node } = entry
      if (entry.kind === 'served-rejected') {
        const { key = '', version, rejectedUpTo } = entry
        return [{ what: `I5: ${node} served ${key} ${version}, and had been told that all up to ${rejectedUpTo} are rejected`, key, at }]
      }
      if (entry.kind === 'failed' && entry.code === 'not a TokenError') {
        return [{ what: `a caller of ${node} got: ${entry.message}`, at, ...(entry.key !== undefined && { key: entry.key }) }]
      }
      return []
    }),
  ]
}

/** A process never returns a version older than one it returned. */
function goingBack(entries: readonly Entry[]): Violation[] {
  const highest = new Map<string, number>()
  return entries.flatMap((entry): Violation[] => {
    if (entry.kind !== 'served' || entry.key === undefined) return []
    const { key, version, at, node } = entry
    const before = highest.get(key) ?? 0
    highest.set(key, Math.max(before, version))
    return version < before ? [{ what: `I5: ${node} served ${key} ${version} after ${before}`, key, at }] : []
  })
}

/** A process never returns a version to somebody who asks after it noted that this one is rejected. */
function ownRejections(entries: readonly Entry[]): Violation[] {
  const rejected = new Map<string, { readonly version: number; readonly at: number }>()
  for (const entry of entries) {
    if (entry.kind !== 'event' || entry.type !== 'rejected' || entry.version === undefined) continue
    const name = `${entry.key} ${entry.version}`
    if (!rejected.has(name)) rejected.set(name, { version: entry.version, at: entry.at })
  }
  return entries.flatMap((entry): Violation[] => {
    if (entry.kind !== 'tally') return []
    return entry.last.flatMap(({ key, version, askedAt, at }) => {
      const before = rejected.get(`${key} ${version}`)
      if (before === undefined || askedAt <= before.at) return []
      return [{ what: `I5: ${entry.node} served ${key} ${version}, which it knew to be rejected`, key, at }]
    })
  })
}

/** By the process's own clocks, and by the platform's word. Whoever is frozen while it serves has decided before. */
function lateServes({ entries, ends, stops }: Account): Violation[] {
  return entries.flatMap((entry): Violation[] => {
    const { node, at } = entry
    if (entry.kind === 'served-expired') {
      const { key = '', version, lifeMs } = entry
      const lateMs = -lifeMs - stoppedMs(stops, node, at + lifeMs - LATE_MS, at)
      return lateMs > LATE_MS ? [{ what: `I5: ${node} served ${key} ${version} ${lateMs.toFixed(0)} ms after its end`, key, at }] : []
    }
    if (entry.kind !== 'tally') return []
    return entry.last.flatMap((last) => {
      const end = ends.get(last.digest)
      if (end === undefined) return []
      const lateMs = last.at - end - stoppedMs(stops, node, last.askedAt, last.at)
      const what = `${node} served ${last.key} ${last.version} ${lateMs.toFixed(0)} ms after the platform had ended it`
      return lateMs > LATE_MS ? [{ what, key: last.key, at: last.at }] : []
    })
  })
}

/** How long after, or, below 0, before its end the platform's clock saw the last caller who was given a token, milliseconds. */
export function latestServeMs({ entries, ends, stops }: Account): number {
  let latest = Number.NEGATIVE_INFINITY
  for (const entry of entries) {
    if (entry.kind !== 'tally') continue
    for (const last of entry.last) {
      const end = ends.get(last.digest)
      if (end !== undefined) latest = Math.max(latest, last.at - end - stoppedMs(stops, entry.node, last.askedAt, last.at))
    }
  }
  return latest
}
