// Measures one store, operation by operation in turn.
import { argument } from '../measure/child.ts'
import { answer } from '../measure/in-process.ts'
import { processorMs } from '../measure/processor-time.ts'
import { median, quantile } from '../measure/statistics.ts'
import { CROWDED, type Crowded, type Measured, OPERATIONS, type Operation, type Order, type Rounds } from './measured.ts'
import { type Place, places } from './places.ts'
import { LEASE, patience, Records, TOKEN } from './records.ts'
import { type Sequence, sequence } from './sequence.ts'

const WARM_UP = 300
const CALLS = 150
/** Over the wire a call takes as long as a hundred without it, and is as good as any other. */
const DISTANT_CALLS = 20
const AT_ONCE = 64
const CROWD = 4_000
const CROWD_OF_HUNDREDS = 200

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
    const crowds: Record<Crowded, Crowd>[] = []
    // A pool opens its connections with the first crowd.
    if (!limitsOnly) await crowd(place, records, 'bare')
    for (let round = 0; round < rounds; round++) {
      sequences.push(await sequence(near, records, CALLS))
      if (distant !== undefined) distantSequences.push(await sequence(distant, records, DISTANT_CALLS))
      if (!limitsOnly) crowds.push(await allCrowds(place, records))
    }
    const ofCrowds = <T>(value: (operation: Crowded) => T) =>
      Object.fromEntries(CROWDED.map((operation) => [operation, value(operation)])) as Record<Crowded, T>
    const measured: Measured = {
      name,
      version,
      bareName,
      microseconds: together(sequences, median),
      p99Microseconds: together(sequences, (taken) => quantile(taken, 0.99)),
      ...(distant !== undefined && { distantMicroseconds: together(distantSequences, median) }),
      ...(!limitsOnly && { throughput: ofCrowds((operation) => crowds.map((each) => each[operation].perSecond)) }),
      ...(!limitsOnly &&
        pid !== undefined &&
        processorMs(pid) !== undefined && { server: ofCrowds((operation) => crowds.map((each) => each[operation].serverMicroseconds)) }),
    }
    answer(measured)
  } finally {
    await place.close()
  }
}

/** One figure of each sequence. */
function together(sequences: readonly Sequence[], figure: (taken: readonly number[]) => number): Rounds<Operation> {
  return Object.fromEntries(OPERATIONS.map((name) => [name, sequences.map((each) => figure(each[name]))])) as Record<Operation, number[]>
}

interface Crowd {
  readonly perSecond: number
  readonly serverMicroseconds: number
}

async function allCrowds(place: Place, records: Records): Promise<Record<Crowded, Crowd>> {
  const crowds: Partial<Record<Crowded, Crowd>> = {}
  for (const operation of CROWDED) crowds[operation] = await crowd(place, records, operation)
  return crowds as Record<Crowded, Crowd>
}

async function crowd({ near: { store, bare }, pid }: Place, records: Records, name: Crowded): Promise<Crowd> {
  const operation = patience()
  const size = name === 'read 100' ? CROWD_OF_HUNDREDS : CROWD
  const claim = async () => {
    const key = records.newKey()
    const claimed = await store.claim(key, key, LEASE, operation)
    if (claimed.kind !== 'granted') throw new Error(`a claim of a new key was answered ${claimed.kind}`)
    return { key, fence: claimed.fence }
  }
  const claimed: { readonly key: string; readonly fence: number }[] = []
  if (name === 'publish') await atOnce(size, async () => void claimed.push(await claim()))
  const call: () => Promise<unknown> = {
    bare,
    claim,
    publish: async () => {
      const own = claimed.pop()
      if (own === undefined) throw new Error('there is nothing left to publish')
      const { kind } = await store.publish(own.key, own.key, own.fence, TOKEN, operation)
      if (kind !== 'accepted') throw new Error(`a publication was answered ${kind}`)
      records.add(own.key)
    },
    read: () => store.read([records.anyKey()], operation),
    'read 100': () => store.read(records.anyHundred(), operation),
  }[name]
  const used = pid === undefined ? undefined : processorMs(pid)
  const begun = performance.now()
  await atOnce(size, call)
  const seconds = (performance.now() - begun) / 1_000
  const usedMs = pid === undefined || used === undefined ? Number.NaN : (processorMs(pid) ?? Number.NaN) - used
  return { perSecond: size / seconds, serverMicroseconds: (usedMs * 1_000) / size }
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
