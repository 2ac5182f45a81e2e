import { withoutNamespace } from '@tokenwell/fleet'
import { type Account, losses, type Request, stoppedMs } from './account.ts'
import { TOKEN_LIFE_MS } from './upstream.ts'
import type { Violation } from './violation.ts'

/** No refresh token may be sent twice within this time, milliseconds. */
const TAKEOVER_DELAY_MS = 3_000
/** The longest that a process may have had the right to spend before it did, milliseconds: the lease of a login. */
const LEASE_MS = 12_000

/** What a fleet may ask for one credential in a minute, whatever fails; and what a process may that has to do without the store. */
const FLEET_BOUND = 9
const PROCESS_BOUND = 8
const MINUTE_MS = 60_000
/** How many tokens of one credential are due in a minute. */
const DUE = Math.ceil(MINUTE_MS / (TOKEN_LIFE_MS / 2))

/** I10, and refresh tokens. */
export function requestViolations(account: Account): Violation[] {
  return [...floods(account), ...doubleSpends(account), ...staleSpends(account)]
}

function floods(account: Account): Violation[] {
  const { requests } = account
  return [...Map.groupBy(requests, ({ key }) => key)].flatMap(([key, its]): Violation[] => {
    const worst = its
      .map(({ at }, index) => ({ at, count: its.filter((other, place) => place >= index && other.at < at + MINUTE_MS).length }))
      .find(({ at, count }) => count > FLEET_BOUND + DUE && count > allowed(account, key, at))
    if (worst === undefined) return []
    const { at, count } = worst
    return [{ what: `I10: ${count} requests for ${key} within a minute; ${allowed(account, key, at)} have a reason`, key, at }]
  })
}

/** How many requests of a minute have a reason, beside the bound: tokens due because they are so short-lived here, and what follows. */
function allowed({ entries, strikes, requests }: Account, key: string, from: number): number {
  const to = from + MINUTE_MS
  const detached = new Set<string>()
  const rejected = new Set<number>()
  for (const entry of entries) {
    if (entry.kind !== 'event' || entry.key !== key || entry.at < from - MINUTE_MS / 2 || entry.at > to) continue
    if (entry.type === 'detached') detached.add(entry.node)
    if (entry.type === 'rejected' && entry.version !== undefined) rejected.add(entry.version)
  }
  // A store that forgets forgets what is to be waited for as well.
  const isThen = (at: number) => at >= from && at < to
  const lost = losses(entries, key).filter(isThen).length
  // What it is minted from may be refused: each dead ticket, and each dead token of the app, may cost a request.
  const tickets = strikes.filter(({ on, at }) => on === 'tickets' && at >= from - MINUTE_MS / 2 && at < to).length
  const refused = key.includes('/user-')
    ? 0
    : requests.filter((each) => each.key === key && each.at >= from && each.at < to && each.isRefused()).length
  return (
    FLEET_BOUND +
    DUE +
    rejected.size +
    detached.size * PROCESS_BOUND +
    lost +
    Math.min(refused, tickets + losses(entries).filter(isThen).length)
  )
}

/** A refresh token is sent again only by a process that has waited whether its successor comes. */
function doubleSpends(account: Account): Violation[] {
  const spent = Map.groupBy(
    account.requests.filter((request) => request.digest !== undefined),
    ({ digest }) => digest,
  )
  return [...spent.values()].flatMap((requests) =>
    requests.flatMap((request, index): Violation[] => {
      const before = requests[index - 1]
      // A refusal that was read says that nothing is used up; who does not get to read it does not go on from it.
      if (before === undefined || before.isRefused() || request.at - before.at >= TAKEOVER_DELAY_MS) return []
      if (isExcused(account, before, request)) return []
      const { key, at } = request
      return [{ what: `a refresh token of ${key} was sent twice within ${(at - before.at).toFixed(0)} ms`, key, at }]
    }),
  )
}

/** Nobody spends a refresh token that was spent before, and whose successor the store had before the right to spend was asked for. */
function staleSpends({ entries, requests }: Account): Violation[] {
  const calls = Map.groupBy(
    entries.filter((entry) => entry.kind === 'store'),
    ({ key }) => withoutNamespace(key),
  )
  return entries.flatMap((entry): Violation[] => {
    if (entry.kind !== 'spending') return []
    const first = requests.find(({ digest, isRefused }) => digest === entry.digest && !isRefused())
    if (first === undefined || first.at >= entry.at) return []
    const { key } = first
    const its = calls.get(key) ?? []
    const claim = its.findLast(
      ({ node, operation, outcome, at }) => node === entry.node && operation === 'claim' && outcome === 'granted' && at <= entry.at,
    )
    if (claim === undefined) return []
    // What was published before is accepted once more when it is sent again.
    const known = new Set(its.filter(({ at }) => at <= first.at).map(({ version }) => version))
    const successor = its.find(
      ({ operation, outcome, fence, sentAt, at }) =>
        operation === 'publish' && outcome === 'accepted' && !known.has(fence) && sentAt > first.at && at < claim.sentAt,
    )
    if (successor === undefined || losses(entries, key).some((at) => at > successor.sentAt && at < entry.at)) return []
    const what = `${entry.node} spent a refresh token of ${key} again, ${(claim.sentAt - successor.at).toFixed(0)} ms after its successor was stored`
    return [{ what, key, at: entry.at }]
  })
}

/** Only what no protocol can prevent. */
function isExcused(account: Account, first: Request, second: Request): boolean {
  const { entries, stops } = account
  // The store forgot who had the right to spend, or that it was spent: nobody can know.
  if (losses(entries, first.key).some((at) => at > first.at - LEASE_MS && at < second.at)) return true
  // A process that was stopped between its last look at the clock and its request sends it when it goes on.
  return entries.some((entry) => {
    if (entry.kind !== 'spending' || entry.digest !== first.digest || entry.at > second.at) return false
    return stoppedMs(stops, entry.node, entry.at - 50, second.at, 'around') > 0
  })
}

/** How many requests there would have been without faults: one at first, one whenever half a life is over, one for each token rejected. */
export function idealRequests({ entries, keys, requests, began, ended }: Account): number {
  const first = requests[0]?.at ?? began
  return keys.reduce((sum, key) => {
    const rejections = new Map<number, number>()
    for (const entry of entries) {
      if (entry.kind !== 'store' || entry.operation !== 'invalidate' || entry.outcome === 'failed') continue
      if (withoutNamespace(entry.key) !== key || entry.fence === undefined || rejections.has(entry.fence)) continue
      rejections.set(entry.fence, entry.at)
    }
    const moments = [first, ...[...rejections.values()].sort((one, other) => one - other), ended]
    return (
      sum + moments.slice(1).reduce((count, to, index) => count + 1 + Math.floor((to - (moments[index] ?? to)) / (TOKEN_LIFE_MS / 2)), 0)
    )
  }, 0)
}
