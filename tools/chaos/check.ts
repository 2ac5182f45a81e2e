import { type Entry, type StoreCall, storeViolations, withoutNamespace } from '@tokenwell/fleet'
import { type Account, concerns } from './account.ts'
import { effortViolations } from './effort-rules.ts'
import { requestViolations } from './request-rules.ts'
import { serveViolations } from './serve-rules.ts'
import type { Violation } from './violation.ts'
import { waitViolations } from './wait-rules.ts'

/** What in a run must not be, in order of time. */
export function check(account: Account): Violation[] {
  const entries = [...account.entries].sort((one, other) => one.at - other.at)
  const sorted = { ...account, entries }
  return [
    ...account.mishaps.map((what): Violation => ({ what })),
    ...lifeViolations(account),
    ...inStore(sorted),
    ...serveViolations(sorted),
    ...waitViolations(sorted),
    ...requestViolations(sorted),
    ...effortViolations(sorted),
  ].sort((one, other) => (one.at ?? 0) - (other.at ?? 0))
}

/** No process ends by itself, or says anything: an exception that nobody caught does both. */
function lifeViolations({ lives }: Account): Violation[] {
  return lives.flatMap(({ node, output, unexpected }): Violation[] => [
    ...(unexpected === undefined ? [] : [{ what: `${node} ${unexpected}` }]),
    ...(output === '' ? [] : [{ what: `${node} printed: ${output.trim()}` }]),
  ])
}

/** I2, I3, I6, and of I7 that a fence belongs to one attempt and that a repeated publication publishes nothing else. */
function inStore({ entries, lives }: Account): Violation[] {
  const marks = entries.filter((entry) => entry.kind === 'mark')
  const killed = new Map(lives.flatMap(({ node, killedAt }) => (killedAt === undefined ? [] : [[node, killedAt] as const])))
  const calls = entries.filter((entry): entry is Call => entry.kind === 'store')
  return [...Map.groupBy(calls, (call) => withoutNamespace(call.key))].flatMap(([key, its]) => {
    const known = its.map((call) => withoutLease(call, its, killed))
    const around = marks.filter((mark) => concerns(mark, key))
    return storeViolations([...around, ...known].sort((one, other) => one.at - other.at)).map((what) => ({ what: `${what}, ${key}`, key }))
  })
}

type Call = StoreCall & Pick<Entry, 'at' | 'node'>

/** What a process did with its lease right before it was killed, it could not say: that it gave it back is not held against the next one. */
function withoutLease(call: Call, calls: readonly Call[], killed: ReadonlyMap<string, number>): Call {
  const killedAt = killed.get(call.node)
  if (call.operation !== 'claim' || killedAt === undefined || call.at + (call.leaseMs ?? 0) < killedAt) return call
  const isDone = calls.some(({ attempt, operation }) => attempt === call.attempt && (operation === 'publish' || operation === 'settle'))
  if (isDone) return call
  const { leaseMs: _, ...rest } = call
  return rest
}
