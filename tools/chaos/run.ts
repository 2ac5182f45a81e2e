import { type CredentialName, type Entry, machineNow } from '@tokenwell/fleet'
import type { Account } from './account.ts'
import { Crew, nameOfProcess } from './crew.ts'
import { carryOut } from './lanes.ts'
import type { ChaosOptions } from './options.ts'
import { type Pause, pauseUntil, until } from './pause.ts'
import { openPlace, type Place } from './place.ts'
import { drawPlan, nameOf } from './plan.ts'
import { Pulse } from './pulse.ts'
import { comeToRest } from './rest.ts'
import { TokenEnds } from './token-ends.ts'
import { openUpstream, type Upstream } from './upstream.ts'

const PROCESSES = 8
const TENANTS = 8
const USERS = 3

const CREDENTIALS: readonly CredentialName[] = [
  { kind: 'app', id: '' },
  ...Array.from({ length: TENANTS }, (_, index): CredentialName => ({ kind: 'tenant', id: `tenant-${index}` })),
  ...Array.from({ length: USERS }, (_, index): CredentialName => ({ kind: 'user', id: `user-${index}` })),
]

/** Quiet at the end: at least so long, and until everything has been at rest for a while; and what a run is planned with. Milliseconds. */
const LEAST_QUIET_MS = 15_000
const AT_REST_MS = 5_000
const QUIET_MS = 25_000

/** Everything there is while it runs, in the order in which it is begun. */
interface World {
  readonly place: Place
  readonly upstream: Upstream
  readonly crew: Crew
  readonly ends: TokenEnds
  readonly entries: Entry[]
  readonly digests: Map<string, string>
}

/**
 * A fleet under load to which everything happens that the seed says.
 * @throws when it is called off by the signal, or when something other than the fleet fails; nothing is left then
 */
export async function runChaos(options: ChaosOptions, signal: AbortSignal, say: (line: string) => void): Promise<Account> {
  const pause = pauseUntil(signal)
  const mishaps: string[] = []
  const place = await openPlace(options.store, PROCESSES)
  try {
    const upstream = await openUpstream(CREDENTIALS, options.seed)
    const world = worldOf(place, upstream, options.seed)
    const { crew, ends } = world
    const pulse = new Pulse()
    try {
      signal.throwIfAborted()
      const account = await play(options, world, pause, say)
      return { ...account, stops: [...crew.stops, ...pulse.stalls], lives: crew.lives, mishaps }
    } finally {
      await crew.kill()
      ends.stop()
      pulse.stop()
      // The simulator says what it itself did wrong.
      await upstream.platform.close().catch((error: unknown) => mishaps.push(String(error)))
      for (const pid of crew.pids) mishaps.push(`process ${pid} is left`)
    }
  } finally {
    await place.stop()
  }
}

function worldOf(place: Place, upstream: Upstream, seed: number): World {
  const entries: Entry[] = []
  const digests = new Map<string, string>()
  const { platform, app } = upstream
  const ends = new TokenEnds((token) => platform.judge(token))
  const crew = new Crew({
    size: PROCESSES,
    seed,
    address: place.address,
    domain: platform.url,
    app,
    credentials: CREDENTIALS,
    hear(entry, token) {
      entries.push(entry)
      if (entry.kind !== 'served' || token === undefined) return
      ends.note(entry.digest, token)
      digests.set(`${entry.key} ${entry.version}`, entry.digest)
    },
  })
  return { place, upstream, crew, ends, entries, digests }
}

async function play({ seed, store, minutes }: ChaosOptions, world: World, pause: Pause, say: (line: string) => void) {
  const { upstream, crew, ends, entries, digests } = world
  await crew.start()
  upstream.aimAt(crew, 0)
  await upstream.platform.pushTicket(upstream.app.appId)
  await upstream.authorize(crew)
  await crew.beginTraffic()
  const keys = upstream.keys
  await until('every process serves everything', () => servedBy(entries) >= keys.length * PROCESSES, pause, 30_000)
  const authorizedAtFirst = upstream.authorizedAgain

  const began = machineNow()
  const forMs = minutes * 60_000 - QUIET_MS
  const plan = drawPlan({ seed, store, processes: PROCESSES, forMs })
  say(`${PROCESSES} processes with ${keys.length} credentials serve; ${plan.length} things go wrong in ${(forMs / 1_000).toFixed(0)} s`)
  const { strikes, missed } = await carryOut(plan, { began, forMs }, world, pause)

  const quietFrom = machineNow()
  entries.push({ at: quietFrom, node: 'chaos', kind: 'mark', what: 'healed' })
  upstream.aimAt(crew, 0)
  await upstream.platform.pushTicket(upstream.app.appId)
  await upstream.authorize(crew)
  const rests = await comeToRest({
    keys,
    crew,
    size: PROCESSES,
    pause,
    isGood: (key, version) => ends.isGood(digests.get(`${key} ${version}`) ?? ''),
    authorize: (key) => upstream.authorizeOne(key.split('/').at(-1) ?? '', crew),
  })
  await pause(Math.max(quietFrom + LEAST_QUIET_MS - machineNow(), AT_REST_MS))
  const ended = machineNow()
  await crew.close()
  const { requests, authorizedAgain } = upstream
  const figures = { strikes, missed, rests, requests, began, quietFrom, ended, authorizedAgain: authorizedAgain - authorizedAtFirst }
  const planned = new Map([...Map.groupBy(plan, nameOf)].map(([target, its]) => [target, its.length]))
  const processes = Array.from({ length: PROCESSES }, (_, index) => nameOfProcess(index))
  return { ...figures, entries, ends: ends.ends, keys, processes, planned }
}

function servedBy(entries: readonly Entry[]): number {
  return new Set(entries.flatMap((entry) => (entry.kind === 'served' ? [`${entry.node} ${entry.key}`] : []))).size
}
