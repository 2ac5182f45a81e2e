import { randomUUID } from 'node:crypto'
import { setTimeout as passed } from 'node:timers/promises'
import { type Counted, together } from '../measure/histogram.ts'
import { sharedNow } from '../measure/moment.ts'
import { type Served, startFleet } from '../measure/served.ts'
import { startUpstream } from '../measure/upstream-client.ts'
import type { Servers } from './contender.ts'
import type { About, Order, Settled, Start } from './worker.ts'

export interface Size {
  readonly processes: number
  /** In each process. */
  readonly callers: number
  readonly latencyMs: number
}

/** What came of callers who all came at once. */
export interface Outcome {
  /** The contender. */
  readonly name: string
  /** For a token, those included that were made when all had been served. */
  readonly requests: number
  /** From the moment for which all were told to start to the last caller who had a token or an error, in whichever process. */
  readonly settledMs: number
  /** Of all callers, from that moment to what came of it. */
  readonly waits: Counted
  readonly tokens: number
  readonly failures: readonly string[]
}

/** With so many callers everything has been loaded, connected and compiled. */
const REHEARSING = 200
const REHEARSALS = 10
/** Until then every process has been told when. */
const NOTICE_MS = 300
/** Whoever asks again though everybody has been served has done so by then. */
const AFTERMATH_MS = 500

/** Plays it once, in processes of its own that have rehearsed with other clients. */
export async function stampede(contender: string, servers: Servers, { processes, callers, latencyMs }: Size): Promise<Outcome> {
  const upstream = await startUpstream({ latencyMs })
  let fleet: readonly Served<About, Start, Settled>[] = []
  try {
    const order: Order = { contender, ...servers, upstreamUrl: upstream.about.url }
    fleet = await startFleet(new URL('worker.ts', import.meta.url), order, processes)
    const play = async (callersEach: number, aftermathMs: number) => {
      const clientId = `cli_${randomUUID()}`
      const at = sharedNow() + NOTICE_MS
      const settled = await Promise.all(fleet.map((worker) => worker.ask({ clientId, callers: callersEach, at })))
      await passed(aftermathMs)
      return {
        requests: await upstream.ask(clientId),
        settledMs: Math.max(...settled.map((each) => each.at)) - at,
        waits: together(settled.map(({ waits }) => waits)),
        tokens: new Set(settled.flatMap(({ tokens }) => tokens)).size,
        failures: settled.flatMap(({ failures }) => failures),
      }
    }
    for (let rehearsal = 0; rehearsal < REHEARSALS; rehearsal++) await play(Math.min(REHEARSING, callers), 0)
    return { name: fleet[0]?.about.name ?? contender, ...(await play(callers, AFTERMATH_MS)) }
  } finally {
    await Promise.all([...fleet, upstream].map((each) => each.end()))
  }
}
