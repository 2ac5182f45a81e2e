import { mintedToken } from '@tokenwell/testkit'
import { feishuApp } from '@tokenwell/testkit/feishu'
import { CONTRACT_BRANCHES } from '../../packages/testkit/src/simulation/contract-branch.ts'
import { HOLDER_FAULTS, PROCESS_FAULTS, STORE_FAULTS, WIRE_FAULTS } from '../../packages/testkit/src/simulation/trouble.ts'
import { EDGES, RARE_EDGES, RAREST_EDGES } from './edges.ts'

/** Each kind of fault strikes at least once in so many worlds. */
const WORLDS_PER_FAULT = 3

/** So many worlds see also what is rare. */
const WORLDS_FOR_RARE = 100_000

const FAULTS = [
  ...STORE_FAULTS.map((kind) => `store ${kind}`),
  ...PROCESS_FAULTS.map((kind) => `process ${kind}`),
  ...HOLDER_FAULTS.map((kind) => `holder ${kind}`),
  ...WIRE_FAULTS.map((kind) => `wire store ${kind}`),
  ...WIRE_FAULTS.filter((kind) => kind !== 'lost-hint').map((kind) => `wire upstream ${kind}`),
  ...new Set([...mintedToken().faults, ...feishuApp().faults].map((kind) => `upstream ${kind}`)),
]

/** What the fleets tell of: what is never told of was not played, whatever was ordered. */
const EVENTS = [
  'adopted',
  'backoff',
  'blocked',
  'detached',
  'doubted',
  'event-refused',
  'fetch-ended',
  'granted',
  'held',
  'outcome-unknown',
  'published',
  'rejected',
  'renewed',
  'superseded',
  'ticket-accepted',
  'ticket-ignored',
  'ticket-refused',
  'ticket-rejected',
  'ticket-requested',
  'vouched',
  'waited',
]

/** What was played too little: kinds of fault that were rare, ways through the machine and the contract that nobody took or nobody knows. */
export function coverageProblems(counts: ReadonlyMap<string, number>, worlds: number): string[] {
  const count = (what: string) => counts.get(what) ?? 0
  const least = Math.floor(worlds / WORLDS_PER_FAULT)
  const known = new Set([...EDGES, ...RARE_EDGES, ...RAREST_EDGES].map((edge) => `edge ${edge}`))
  const expected = [...EDGES, ...(worlds >= WORLDS_FOR_RARE ? RARE_EDGES : [])]
  return [
    ...FAULTS.filter((fault) => count(`fault ${fault}`) < least).map(
      (fault) => `the fault "${fault}" struck ${count(`fault ${fault}`)} times, fewer than ${least}`,
    ),
    ...EVENTS.filter((event) => count(`event ${event}`) === 0).map((event) => `nobody told of "${event}"`),
    ...CONTRACT_BRANCHES.filter((branch) => count(`branch ${branch}`) === 0).map((branch) => `nothing took the branch ${branch}`),
    ...expected.filter((edge) => count(`edge ${edge}`) === 0).map((edge) => `nothing took the edge ${edge}`),
    ...[...counts.keys()].filter((what) => what.startsWith('edge ') && !known.has(what)).map((edge) => `unknown: ${edge}`),
  ]
}

/** Fleets that were asked for too little. */
export function getsProblems(each: number, least: number): string[] {
  return each >= least ? [] : [`each process was asked for ${each.toFixed(2)} tokens in a minute, fewer than ${least}`]
}
