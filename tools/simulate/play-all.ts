import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { Tally } from './tally.ts'

/** Worlds handed to a thread at a time, and how long they may take at most, milliseconds: a hundred times what they do. */
const BATCH = 10
const BATCH_MS = 300_000

/** A run of so many worlds says after each tenth of them how far it has come. */
const LONG = 10_000

/** Which worlds, and how. */
interface Order {
  readonly first: number
  readonly seeds: number
  /** Threads. */
  readonly workers: number
  /** Begins no more once something was wrong in one. */
  readonly bail: boolean
  /** Hears now and then how far a long run has come. */
  readonly say?: (line: string) => void
}

/** Hands the seeds out in batches to as many threads. Of what was wrong the lowest seed comes first. */
export async function playAll(order: Order): Promise<Pick<Tally, 'counts' | 'wrong'> & { played: number }> {
  const { first, seeds, workers, bail, say = () => {} } = order
  const counts = new Map<string, number>()
  const wrong: Tally['wrong'][number][] = []
  let next = first
  let played = 0
  const end = first + seeds
  const thread = async () => {
    const worker = new Worker(new URL('./worker.ts', import.meta.url))
    try {
      while (next < end && !(bail && wrong.length > 0)) {
        const batch = Array.from({ length: Math.min(BATCH, end - next) }, (_, index) => next + index)
        next += batch.length
        worker.postMessage(batch)
        const [answer] = (await answerOf(worker, batch)) as [Tally]
        const tenths = Math.floor((10 * played) / seeds)
        played += answer.seeds.length
        wrong.push(...answer.wrong)
        if (seeds >= LONG && Math.floor((10 * played) / seeds) > tenths)
          say(`${played} worlds, ${wrong.length} with violations${seedsOf(wrong)}`)
        for (const [what, count] of answer.counts) counts.set(what, (counts.get(what) ?? 0) + count)
      }
    } finally {
      // Where one thread has failed, the others go on no longer than their batches.
      next = end
      await worker.terminate()
    }
  }
  await Promise.all(Array.from({ length: workers }, thread))
  return { counts, wrong: wrong.sort((one, other) => one.seed - other.seed), played }
}

/** Some of them: whoever waits for the rest of a long run can look into those meanwhile. */
function seedsOf(wrong: Tally['wrong']): string {
  const seeds = wrong.slice(0, 10).map(({ seed }) => seed)
  return seeds.length === 0 ? '' : `: ${seeds.join(', ')}`
}

/** @throws when the thread dies, or never comes back, which it cannot say itself; with the seeds that it had */
function answerOf(worker: Worker, batch: readonly number[]): Promise<unknown[]> {
  return once(worker, 'message', { signal: AbortSignal.timeout(BATCH_MS) }).catch((error: unknown) => {
    const why = error instanceof Error && error.name === 'AbortError' ? `no end after ${BATCH_MS / 1_000} s` : String(error)
    throw new Error(`a thread with the seeds ${batch[0]} to ${batch.at(-1)}: ${why}`, { cause: error })
  })
}
