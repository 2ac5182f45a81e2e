// Measures one store, operation by operation in turn.
import { argument } from '../measure/child.ts'
import { answer } from '../measure/in-process.ts'
import { processorMs } from '../measure/processor-time.ts'
import { median, quantile } from '../measure/statistics.ts'
import {
  AT_ONCE,
  CALLS,
  CROWD,
  CROWD_OF_HUNDREDS,
  CROWDED,
  type Crowded,
  DISTANT_CALLS,
  type Measured,
  OPERATIONS,
  type Operation,
  type Order,
  type Rounds,
  WEIGHED,
  type Weighed,
} from './measured.ts'
import { type Place, places } from './places.ts'
import { serverTime } from './processor.ts'
import { type Claimed, claim, patience, publish, Records } from './records.ts'
import { type Sequence, sequence } from './sequence.ts'

const WARM_UP = 300

async function main(): Promise<void> {
  const { place: kind, rounds, limitsOnly } = argument<Order>()
  const open = places[kind]
  if (open === undefined) throw new Error(`no such place: ${kind}`)
  const place = await open()
  try {
    const { name, version, bareName, near, distant, pid } = place
    const records = await Records.in(near.store)
    await sequence(near, records, WARM_UP)
    if (distant !== undefined) await sequence(distant, records, DISTANT_CALLS)
    const sequences: Sequence[] = []
    const distantSequences: Sequence[] = []
    const listeningSequences: Sequence[] = []
    const spent: Readonly<Record<Weighed, number>>[] = []
    const isKnown = pid !== undefined && processorMs(pid) !== undefined
    const crowds: Record<Crowded, Crowd>[] = []
    for (let round = 0; round < rounds; round++) {
      sequences.push(await sequence(near, records, CALLS))
      if (distant !== undefined) distantSequences.push(await sequence(distant, records, DISTANT_CALLS))
      await listening(place, async () => {
        if (near.store.capabilities.push) listeningSequences.push(await sequence(near, records, CALLS))
        if (isKnown) spent.push(await serverTime(near, pid, records))
      })
    }
    if (!limitsOnly) {
      await listening(place, async () => {
        // The pool opens its connections: they, and what a crowd leaves in the server, are no matter of who comes alone.
        await crowd(place, records, 'bare')
        for (let round = 0; round < rounds; round++) crowds.push(await allCrowds(place, records))
      })
    }
    const ofCrowds = (figure: keyof Crowd) =>
      Object.fromEntries(CROWDED.map((operation) => [operation, crowds.map((each) => each[operation][figure])])) as Record<
        Crowded,
        number[]
      >
    const measured: Measured = {
      name,
      version,
      bareName,
      microseconds: together(sequences, median),
      hasServer: pid !== undefined,
      p99Microseconds: together(sequences, p99),
      ...(distant !== undefined && {
        distantMicroseconds: together(distantSequences, median),
        distantP99Microseconds: together(distantSequences, p99),
      }),
      ...(near.store.capabilities.push && {
        listeningMicroseconds: together(listeningSequences, median),
        listeningP99Microseconds: together(listeningSequences, p99),
      }),
      ...(isKnown && {
        serverMicroseconds: Object.fromEntries(WEIGHED.map((each) => [each, spent.map((round) => round[each])])) as Record<
          Weighed,
          number[]
        >,
      }),
      ...(!limitsOnly && {
        crowd: {
          perSecond: ofCrowds('perSecond'),
          p99Microseconds: ofCrowds('p99Microseconds'),
          ...(usedMs(pid) !== undefined && { processorMicroseconds: ofCrowds('processorMicroseconds') }),
        },
      }),
    }
    answer(measured)
  } finally {
    await place.close()
  }
}

/** Runs something while this process listens for changes, as each does that holds tokens: the server tells it of what it publishes, too. */
async function listening({ name, near: { store } }: Place, run: () => Promise<void>): Promise<void> {
  let changes = 0
  const stop = await store.subscribe?.(() => {
    changes++
  })
  await run()
  await stop?.()
  if (stop !== undefined && changes === 0) throw new Error(`${name}: nobody was told of what was published`)
}

function p99(taken: readonly number[]): number {
  return quantile(taken, 0.99)
}

/** One figure of each sequence. */
function together(sequences: readonly Sequence[], figure: (taken: readonly number[]) => number): Rounds<Operation> {
  return Object.fromEntries(OPERATIONS.map((name) => [name, sequences.map((each) => figure(each[name]))])) as Record<Operation, number[]>
}

interface Crowd {
  readonly perSecond: number
  readonly p99Microseconds: number
  readonly processorMicroseconds: number
}

/** Milliseconds of a processor, of the server or, where there is none, of this process; undefined where the system does not tell. */
function usedMs(pid: number | undefined): number | undefined {
  if (pid !== undefined) return processorMs(pid)
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}

async function allCrowds(place: Place, records: Records): Promise<Record<Crowded, Crowd>> {
  const crowds: Partial<Record<Crowded, Crowd>> = {}
  for (const operation of CROWDED) crowds[operation] = await crowd(place, records, operation)
  return crowds as Record<Crowded, Crowd>
}

async function crowd({ near: { store, bare }, pid }: Place, records: Records, name: Crowded): Promise<Crowd> {
  const operation = patience()
  const size = name === 'read 100' ? CROWD_OF_HUNDREDS : CROWD
  const claimed: Claimed[] = []
  const claimNext = async () => void claimed.push(await claim(store, records.newKey(), operation))
  if (name === 'publish') await atOnce(size, claimNext)
  const call: () => Promise<unknown> = {
    bare,
    claim: claimNext,
    publish: async () => {
      const own = claimed.pop()
      if (own === undefined) throw new Error('there is nothing left to publish')
      await publish(store, own, operation)
      records.add(own.key)
    },
    read: () => store.read([records.anyKey()], operation),
    'read 100': () => store.read(records.anyHundred(), operation),
  }[name]
  const taken: number[] = []
  const used = usedMs(pid) ?? Number.NaN
  const begun = performance.now()
  await atOnce(size, async () => {
    const calledAt = performance.now()
    await call()
    taken.push((performance.now() - calledAt) * 1_000)
  })
  const seconds = (performance.now() - begun) / 1_000
  const processor = (usedMs(pid) ?? Number.NaN) - used
  return { perSecond: size / seconds, p99Microseconds: p99(taken), processorMicroseconds: (processor * 1_000) / size }
}

/** So many calls, of which {@link AT_ONCE} are under way at any time. */
async function atOnce(size: number, call: () => Promise<unknown>): Promise<void> {
  let left = size
  const work = async () => {
    while (left-- > 0) await call()
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
}

await main()
