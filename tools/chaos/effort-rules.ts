import type { Account } from './account.ts'
import type { Violation } from './violation.ts'

/** Each process serves at least so many callers a second, over the whole run: one in fifty of those that come, as it may be frozen or dead. */
const LEAST_SERVED_PER_S = 2

/** Of so many faults that are planned for one target, one strikes. Most of those for a process wait until it comes to a point, and often in vain. */
const FAULTS_FOR_ONE = 20

/** The same of a whole kind of target: one or two of them may have had no occasion. */
const FAULTS_FOR_ONE_OF_A_KIND = 3

/** Of all faults so many strike. */
const LEAST_STRUCK = 0.5

/** What was done too little: a run in which nothing happens has no violation, and proves nothing. */
export function effortViolations(account: Account): Violation[] {
  return [...idleLanes(account), ...fewStrikes(account), ...idleProcesses(account)]
}

/** Whatever can be struck, was: each target for which there was more than a little, and some process, some wire, the server, and so on. */
function idleLanes({ planned, strikes }: Account): Violation[] {
  const struck = new Set(strikes.map(({ on }) => on))
  const struckKinds = new Set(strikes.map(({ on }) => kindOf(on)))
  const idle = [...planned].filter(([target, count]) => count >= FAULTS_FOR_ONE && !struck.has(target))
  const ofKind = new Map<string, number>()
  for (const [target, count] of planned) ofKind.set(kindOf(target), (ofKind.get(kindOf(target)) ?? 0) + count)
  const kinds = new Set(
    [...ofKind].filter(([kind, count]) => count >= FAULTS_FOR_ONE_OF_A_KIND && !struckKinds.has(kind)).map(([kind]) => kind),
  )
  return [
    ...[...kinds].map((kind): Violation => ({ what: `too little: nothing struck any ${kind}` })),
    ...idle
      .filter(([target]) => !kinds.has(kindOf(target)))
      .map(([target, count]): Violation => ({ what: `too little: none of ${count} faults struck ${target}` })),
  ]
}

function fewStrikes({ planned, strikes, missed }: Account): Violation[] {
  const all = strikes.length + missed
  if (planned.size === 0) return [{ what: 'too little: nothing was planned to go wrong' }]
  return strikes.length >= LEAST_STRUCK * all ? [] : [{ what: `too little: ${missed} of ${all} faults had no occasion` }]
}

function idleProcesses({ entries, processes, began, ended }: Account): Violation[] {
  const served = new Map<string, number>()
  for (const entry of entries) {
    if (entry.kind !== 'tally') continue
    const name = entry.node.replace(/ life \d+$/, '')
    served.set(name, (served.get(name) ?? 0) + entry.served)
  }
  const least = (LEAST_SERVED_PER_S * (ended - began)) / 1_000
  return processes.flatMap((name): Violation[] => {
    const its = served.get(name) ?? 0
    return its >= least ? [] : [{ what: `too little: ${name} served ${its} gets, fewer than ${least.toFixed(0)}` }]
  })
}

function kindOf(target: string): string {
  return target.replace(/ \d+$/, '')
}
