import { type Account, stoppedMs } from './account.ts'
import type { Violation } from './violation.ts'

/** What a loaded machine adds to the longest that a caller wants to wait, milliseconds. */
const MARGIN_MS = 2_000

/** In the quiet nobody has to wait for so long; milliseconds. Shorter waits are those of impatient callers. */
const PATIENT_MS = 10_000

/** No caller waits longer than it wants to, every caller gets one answer, and in the quiet at the end all of them are served. */
export function waitViolations(account: Account): Violation[] {
  const { entries, stops } = account
  return [
    ...entries.flatMap((entry): Violation[] => {
      const { node, at } = entry
      if (entry.kind === 'waited') {
        const { key = '', askedAt, boundMs = 0 } = entry
        // A process that is stopped cannot answer: its callers are stopped with it.
        const waitedMs = at - askedAt - stoppedMs(stops, node, askedAt, at)
        const what = `a caller of ${node} waited ${waitedMs.toFixed(0)} ms for ${key}, and wanted to wait ${boundMs.toFixed(0)} ms at most`
        return waitedMs > boundMs + MARGIN_MS ? [{ what, key, at }] : []
      }
      if (entry.kind === 'closed' && entry.asked !== entry.settled) {
        return [{ what: `I8: ${entry.asked} callers asked ${node}, ${entry.settled} were answered`, at }]
      }
      return []
    }),
    ...restlessness(account),
  ]
}

/** Everything came to rest, and from then on nobody failed. */
function restlessness({ entries, rests, quietFrom }: Account): Violation[] {
  const restless = rests.filter(({ afterMs }) => afterMs === undefined)
  if (restless.length > 0) {
    return restless.map(({ key, said }) => ({ what: `the processes did not come to agree on ${key}: ${said}`, key, at: quietFrom }))
  }
  const atRest = quietFrom + Math.max(0, ...rests.map(({ afterMs = 0 }) => afterMs))
  return entries.flatMap((entry): Violation[] => {
    if (entry.kind !== 'failed' || entry.askedAt < atRest || entry.code === 'ABORTED' || entry.code === 'CLOSED') return []
    if (entry.code === 'TIMEOUT' && entry.at - entry.askedAt < PATIENT_MS) return []
    const { key = '', node, code, message, at } = entry
    return [{ what: `a caller of ${node} failed in the quiet: ${key} ${code}: ${message}`, key, at }]
  })
}

/** The longest that a caller waited, the time in which its process was frozen not counted; milliseconds. */
export function longestWaitMs({ entries, stops }: Account): number {
  return entries.reduce(
    (longest, entry) =>
      entry.kind === 'waited'
        ? Math.max(longest, entry.at - entry.askedAt - stoppedMs(stops, entry.node, entry.askedAt, entry.at))
        : longest,
    0,
  )
}
