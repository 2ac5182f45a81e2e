import { randomInt } from 'node:crypto'
import { setTimeout as passed } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import type { Fleet, FleetNode, Point, TokensReport } from '../../index.ts'
import { ends, fleetOn, STORE_TIMEOUT_MS, staged } from './acts.ts'
import { figure } from './figures.ts'
import type { Of } from './history.ts'
import type { ServerStage } from './stage.ts'

const USER = 'ann'
const PROCESSES = 8

export const ROUNDS = process.env.TOKENWELL_NIGHTLY === undefined ? 60 : 200

/** By the clocks of the processes, which are moved on while they wait for a lease to end. */
const PATIENCE_MS = 120_000

/** Nothing happens for so long: everybody waits for time to pass. Milliseconds. */
const QUIET_MS = 60
/** How far time is moved on then, milliseconds: less than a request may take. */
const STRIDE_MS = 4_000

/** No refresh token may be used twice within this time, milliseconds. */
const TAKEOVER_DELAY_MS = 3_000

/** What strikes a round. */
interface Fault {
  readonly name: string
  /** The reply may be lost, or the process that has it: then so is the login. */
  readonly isFatal: boolean
  /** Resolves when it has struck. */
  strike(fleet: Fleet, stage: ServerStage): Promise<void>
}

const FAULTS: readonly Fault[] = [
  { name: 'none', isFatal: false, strike: async () => {} },
  killedAt('claimed', false),
  killedAt('requesting', false),
  killedAt('replied', true),
  killedAt('publishing', true),
  killedAt('published', false),
  {
    name: 'request lost',
    isFatal: false,
    strike: async ({ platform }) => void platform.fault('oauth_token', { kind: 'reset' }, { times: 1 }),
  },
  {
    name: 'reply lost',
    isFatal: true,
    strike: async ({ platform }) => void platform.fault('oauth_token', { kind: 'reset', at: 'reply' }, { times: 1 }),
  },
  {
    name: 'store stalled',
    isFatal: false,
    async strike(_, { server }) {
      await passed(randomInt(0, 250))
      server.pause()
      await passed(randomInt(50, 3_000))
      server.resume()
    },
  },
  {
    name: 'some process killed at some moment',
    isFatal: false,
    async strike(fleet) {
      const victim = fleet.nodes[randomInt(fleet.nodes.length)]
      await passed(randomInt(100, 250))
      await victim?.kill()
    },
  },
]

/** The first process that comes to this point does not live on. */
function killedAt(point: Point, isFatal: boolean): Fault {
  return {
    name: `killed when it had ${point}`,
    isFatal,
    async strike(fleet) {
      const holder = await fleet.holdFirst(point)
      await holder.kill()
    },
  }
}

/** Registers what holds of logins, each refresh of which uses up the one before. */
export function describeUsers(start: () => Promise<ServerStage>, rounds: number): void {
  describe('a fleet that keeps a user signed in', () => {
    const stage = staged(start)

    test(`${rounds} refreshes in ${PROCESSES} processes with faults: the login is lost only where a reply was`, async (context) => {
      const fleet = await fleetOn(stage(), context, { nodes: PROCESSES, storeTimeoutMs: STORE_TIMEOUT_MS })
      const tally = new Map<string, { rounds: number; lost: number }>()
      await authorize(fleet)
      for (let round = 0; round < rounds; round += 1) {
        // Every fault in its turn, each second round without one, as much as possible in either order.
        const fault = FAULTS[round % 2 === 0 ? (round / 2) % FAULTS.length : randomInt(FAULTS.length)] as Fault
        const counted = tally.get(fault.name) ?? { rounds: 0, lost: 0 }
        tally.set(fault.name, { rounds: counted.rounds + 1, lost: counted.lost + (await refreshed(fleet, stage(), fault)) })
      }

      const twice = fleet.platform.presentedTwice(fleet.app.appId)
      const gaps = twice.flatMap(({ presentations }) => presentations.slice(1).map((each, index) => between(presentations[index], each)))
      expect(Math.min(...gaps, Number.POSITIVE_INFINITY), hurried(fleet, twice)).toBeGreaterThanOrEqual(TAKEOVER_DELAY_MS)
      const { rotations, lost } = sums(fleet, tally)
      figure(stage().name, `${rounds} refreshes of a user in ${PROCESSES} processes`, {
        ...Object.fromEntries([...tally].map(([name, counted]) => [name, counted.rounds])),
        'refreshes carried out': rotations,
        'logins lost, all with a reply': lost,
        'refresh tokens sent twice': twice.length,
        'least time between, ms': Math.min(...gaps),
      })
      await ends(fleet)
    }, 900_000)
  })
}

/** One round: every process needs a new token of the user at once. @returns 1 if the login was lost */
async function refreshed(fleet: Fleet, stage: ServerStage, fault: Fault): Promise<0 | 1> {
  await fleet.passToEnd()
  const from = fleet.history.length
  const before = fleet.nodes
  const striking = fault.strike(fleet, stage)
  const asking = fleet.tokens([{ kind: 'user', id: USER }], before, PATIENCE_MS)
  await striking
  const reports = await answered(fleet, asking)
  const mayBeLost = fault.isFatal || before.some((node) => !node.isRunning && diedHolding(fleet, node, from))
  const outcomes = outcomesOf(reports)
  while (fleet.nodes.length < PROCESSES) await fleet.add()

  const { accessToken, isAlive } = fleet.platform.login(fleet.app.appId, USER) ?? {}
  if (isAlive) {
    expect(outcomes, account(fleet, fault, reports, from)).toEqual([accessToken])
    return 0
  }
  expect(mayBeLost, `the login is lost; ${account(fleet, fault, reports, from)}`).toBe(true)
  // Callers are served before the token is published: those of the process that died then were.
  expect(
    outcomes.filter((outcome) => outcome !== accessToken),
    account(fleet, fault, reports, from),
  ).toEqual(['REAUTHORIZATION_REQUIRED'])
  await authorize(fleet)
  return 1
}

/** Moves time on whenever everybody waits for it to pass. */
async function answered(fleet: Fleet, asking: Promise<TokensReport[]>): Promise<TokensReport[]> {
  let reports: TokensReport[] | undefined
  const done = asking.then((answers) => {
    reports = answers
  })
  while (reports === undefined) {
    const seen = fleet.history.length
    await Promise.race([done, passed(QUIET_MS)])
    const isQuiet = fleet.history.length === seen && (await fleet.isIdle())
    if (reports === undefined && isQuiet) await fleet.pass(STRIDE_MS)
  }
  return reports
}

/** As any service would: once more with the same code, should the store have been slow. */
async function authorize(fleet: Fleet): Promise<void> {
  const node = fleet.nodes[randomInt(fleet.nodes.length)]
  if (node === undefined) throw new Error('a fleet of nobody')
  const order = { user: USER, code: fleet.platform.issueCode(fleet.app.appId, USER) }
  try {
    await node.order('authorize', order)
  } catch (error) {
    if (!(error instanceof Error) || !error.message.includes('The store')) throw error
    await node.order('authorize', order)
  }
}

/** Whether a process that is no more had the right to refresh, and nobody knows what it made of it. */
function diedHolding({ history }: Fleet, { name }: FleetNode, from: number): boolean {
  const calls = history.slice(from).filter((entry): entry is Of<'store'> => entry.kind === 'store' && entry.node === name)
  const granted = calls.some(({ operation, outcome }) => operation === 'claim' && outcome === 'granted')
  return granted && !calls.some(({ operation, outcome }) => operation === 'publish' && outcome === 'accepted')
}

/** What the callers got, each thing once: values, and codes of errors. */
function outcomesOf(reports: readonly TokensReport[]): string[] {
  const all = reports.flatMap(({ results }) => results.map((result) => ('value' in result ? result.value : result.code)))
  return [...new Set(all)]
}

/** What a round looked like, for whoever has to find out why it was not as it should be. */
function account({ history }: Fleet, { name }: Fault, reports: readonly TokensReport[], from: number): string {
  const failures = reports.flatMap(({ results }) =>
    results.flatMap((result) => ('code' in result ? [`${result.code}: ${result.message}`] : [])),
  )
  const entries = history.slice(from).map((entry) => JSON.stringify(entry))
  return [name, ...failures, ...entries].join('\n')
}

type Arrival = { readonly receivedAtMs: number; readonly machineMs: number }

/** Milliseconds between two requests: what passed by itself, and what was passed over. */
function between(one: Arrival | undefined, other: Arrival): number {
  if (one === undefined) throw new Error('unreachable')
  return other.machineMs - one.machineMs + (other.receivedAtMs - one.receivedAtMs)
}

/** What happened around those that were sent again too soon. */
function hurried({ history }: Fleet, twice: readonly { readonly presentations: readonly Arrival[] }[]): string {
  const pairs = twice.flatMap(({ presentations }) => presentations.slice(1).map((each, index) => [presentations[index], each] as const))
  return pairs
    .filter(([one, other]) => between(one, other) < TAKEOVER_DELAY_MS)
    .flatMap(([one, other]) => {
      const from = (one?.machineMs ?? 0) - 1_000
      const around = history.filter(({ at }) => at > from && at < other.machineMs + 500)
      return [JSON.stringify(one), JSON.stringify(other), ...around.map((entry) => JSON.stringify(entry))]
    })
    .join('\n')
}

function sums({ platform, app }: Fleet, tally: ReadonlyMap<string, { readonly lost: number }>) {
  const rotations = platform.logins(app.appId).reduce((sum, login) => sum + login.rotations, 0)
  return { rotations, lost: [...tally.values()].reduce((sum, { lost }) => sum + lost, 0) }
}
