import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { withoutNamespace } from '@tokenwell/fleet'
import type { Account } from './account.ts'
import type { ChaosOptions } from './options.ts'
import { idealRequests } from './request-rules.ts'
import { latestServeMs } from './serve-rules.ts'
import type { Violation } from './violation.ts'
import { longestWaitMs } from './wait-rules.ts'

/** How much before and after a violation belongs to it, milliseconds. */
const BEFORE_MS = 30_000
const AFTER_MS = 2_000

/** The run in some lines. */
export function report(account: Account, violations: readonly Violation[]): string {
  const { entries, strikes, missed, requests, ended, rests, stops, lives, authorizedAgain } = account
  const tallies = entries.filter((entry) => entry.kind === 'tally')
  const failed = countBy(tallies.flatMap((entry) => Object.entries(entry.failed)))
  const rotations = new Set(entries.flatMap((entry) => (entry.kind === 'served' ? [`${entry.key} ${entry.version} ${entry.digest}`] : [])))
    .size
  const struck = countBy(strikes.map(({ on, kind }) => [`${on.replace(/ \d+$/, '')}: ${kind}`, 1] as const))
  const asked = requests.filter(({ at }) => at <= ended).length
  const [slowest] = [...rests].sort((one, other) => (other.afterMs ?? Number.POSITIVE_INFINITY) - (one.afterMs ?? Number.POSITIVE_INFINITY))
  const stalls = stops.filter(({ node }) => node === undefined)
  const rows: readonly (readonly [string, string])[] = [
    ['gets served', count(tallies.reduce((sum, { served }) => sum + served, 0))],
    ['gets failed', listed(failed)],
    ['longest wait', `${longestWaitMs(account).toFixed(0)} ms`],
    ['latest serve, after the end of the token', `${latestServeMs(account).toFixed(0)} ms`],
    ['upstream requests, without faults', `${count(asked)}, ${count(idealRequests(account))}`],
    ['rotations: tokens that were served', count(rotations)],
    ['logins lost and given again', count(authorizedAgain)],
    ['processes started', count(lives.length)],
    ['at rest after the last fault', `${slowest?.afterMs?.toFixed(0) ?? 'never'} ms, the last of all ${nameOf(slowest?.key)}`],
    ['faults', `${count(strikes.length)}, and ${missed} without an occasion`],
    ...[...struck].sort(([one], [other]) => one.localeCompare(other)).map(([kind, times]) => [`  ${kind}`, count(times)] as const),
    [
      'this process did not get to run',
      `${stalls.length} times, ${stalls.reduce((sum, { from, to }) => sum + to - from, 0).toFixed(0)} ms`,
    ],
    ['violations', count(violations.length)],
  ]
  const width = Math.max(...rows.map(([name]) => name.length))
  return rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`).join('\n')
}

/** Writes what belongs to the violations, and what happened around them, into a new file. @returns its path */
export function writeSlices(options: ChaosOptions, account: Account, violations: readonly Violation[]): string {
  const path = join(mkdtempSync(join(tmpdir(), 'tokenwell-chaos-')), `${options.store}-${options.seed}.jsonl`)
  const lines = violations.flatMap((violation) => [`\n# ${violation.what}`, ...slice(account, violation)])
  writeFileSync(path, `# ${JSON.stringify(options)}\n${lines.join('\n')}\n`)
  return path
}

/** In order of time: calls, requests, events and faults. */
function slice({ entries, strikes, stops, requests }: Account, { key, at }: Violation): string[] {
  const isNear = (from: number, to = from) => at === undefined || (to > at - BEFORE_MS && from < at + AFTER_MS)
  const isOf = (other: string | undefined) => key === undefined || other === undefined || other === key || withoutNamespace(other) === key
  const found = [
    ...entries.filter(
      (entry) => entry.kind !== 'tally' && entry.kind !== 'hint' && isNear(entry.at) && isOf('key' in entry ? entry.key : undefined),
    ),
    ...strikes.filter(({ at: from, until }) => isNear(from, until)).map((strike) => ({ ...strike, kind: `fault: ${strike.kind}` })),
    ...stops.filter(({ from, to }) => isNear(from, to)).map(({ from, ...stop }) => ({ at: from, kind: 'stopped', ...stop })),
    ...requests
      .filter((request) => isNear(request.at) && isOf(request.key))
      .map(({ isRefused, ...request }) => ({ ...request, kind: 'request', refused: isRefused() })),
  ]
  return found.sort((one, other) => one.at - other.at).map((each) => JSON.stringify(each))
}

function nameOf(key: string | undefined): string | undefined {
  return key?.split('/').slice(3).join(' ')
}

function countBy(pairs: readonly (readonly [string, number])[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const [name, times] of pairs) counts.set(name, (counts.get(name) ?? 0) + times)
  return counts
}

function listed(counts: ReadonlyMap<string, number>): string {
  const total = [...counts.values()].reduce((sum, each) => sum + each, 0)
  const each = [...counts].sort(([, one], [, other]) => other - one).map(([code, times]) => `${code} ${count(times)}`)
  return total === 0 ? '0' : `${count(total)}: ${each.join(', ')}`
}

function count(number: number): string {
  return number.toLocaleString('en')
}
