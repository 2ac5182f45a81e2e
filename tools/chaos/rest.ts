import { machineNow } from '@tokenwell/fleet'
import type { Rest } from './account.ts'
import type { Crew } from './crew.ts'
import type { Pause } from './pause.ts'

export interface Quiet {
  readonly keys: readonly string[]
  readonly crew: Crew
  readonly size: number
  readonly pause: Pause
  /** Whether the token of this version is good at this moment, by the platform's word. */
  readonly isGood: (key: string, version: number) => boolean
  /** The fleet says that this user has to authorise the app again. */
  readonly authorize: (key: string) => Promise<void>
}

const LOOK_EVERY_MS = 200
/**
 * How long after the last fault everything has to be at rest, milliseconds: the lease of a login whose holder is no more, the wait of who
 * takes over, a request and its deadline, and some slack.
 */
const REST_MS = 30_000
/** A failure that is shared is waited out, however long its wait was when the last fault ended; then everything goes on at once. */
const AFTER_RETRY_MS = 8_000
/** No wait is longer, by core's own rule; milliseconds. */
const LONGEST_RETRY_MS = 66_000

interface Said {
  readonly state: string
  readonly version: number
  readonly unpublished: boolean
  readonly retryInMs?: number
  readonly lastError?: { readonly code: string }
}

/** Watches a fleet to which nothing happens any more, until every process has the same good token of everything, and nothing left to do. */
export async function comeToRest({ keys, crew, size, pause, isGood, authorize }: Quiet): Promise<Rest[]> {
  const from = machineNow()
  const rests = new Map<string, Rest>()
  const asked = new Set<string>()
  let deadline = from + REST_MS
  while (rests.size < keys.length && machineNow() < deadline) {
    const statuses = await Promise.all(crew.awake.map((node) => node.order('status', undefined).catch(() => [])))
    for (const key of keys) {
      if (rests.get(key)?.afterMs !== undefined) continue
      const all = statuses.map((its) => its.find((each) => each.key === key) as Said | undefined)
      const [first] = all
      const agree = all.every((each) => each?.state === 'idle' && !each.unpublished && each.version === first?.version)
      if (all.length === size && first !== undefined && agree && isGood(key, first.version)) {
        rests.set(key, { key, afterMs: machineNow() - from, said: textOf(all) })
        continue
      }
      const retryInMs = Math.max(0, ...all.map((each) => each?.retryInMs ?? 0))
      const isFinal = all.some((each) => each?.lastError?.code === 'REAUTHORIZATION_REQUIRED')
      if (isFinal && !asked.has(key)) {
        asked.add(key)
        await authorize(key)
      } else if (!isFinal && retryInMs <= LONGEST_RETRY_MS) {
        deadline = Math.max(deadline, Math.min(machineNow() + retryInMs, from + LONGEST_RETRY_MS) + (retryInMs > 0 ? AFTER_RETRY_MS : 0))
      }
    }
    await pause(LOOK_EVERY_MS)
    if (machineNow() >= deadline) for (const key of keys) if (!rests.has(key)) rests.set(key, { key, said: await lastWords(crew, key) })
  }
  return keys.map((key) => rests.get(key) ?? { key, said: 'nothing' })
}

async function lastWords(crew: Crew, key: string): Promise<string> {
  const statuses = await Promise.all(crew.awake.map((node) => node.order('status', undefined).catch(() => [])))
  return textOf(statuses.map((its) => its.find((each) => each.key === key) as Said | undefined))
}

function textOf(all: readonly (Said | undefined)[]): string {
  const one = (each: Said | undefined) =>
    each === undefined
      ? 'unknown'
      : [each.state, each.version, each.unpublished ? 'unpublished' : '', each.lastError?.code ?? ''].join(' ').trim()
  return all.map(one).join('; ')
}
