// Measures one store, operation by operation in turn.
import { argument } from '../measure/child.ts'
import { answer } from '../measure/in-process.ts'
import { processorMs } from '../measure/processor-time.ts'
import { median, quantile } from '../measure/statistics.ts'
import { CROWDED, type Crowded, type Measured, OPERATIONS, type Operation, type Order, type Rounds } from './measured.ts'
import { type Place, places, type Way } from './places.ts'

const WARM_UP = 300
const CALLS = 150
/** Over the wire a call takes as long as a hundred without it, and is as good as any other. */
const DISTANT_CALLS = 20
const AT_ONCE = 64
const CROWD = 4_000
const CROWD_OF_HUNDREDS = 200
const LEASE = { leaseMs: 8_000, seen: 0, rejected: 0 }
const TOKEN = { value: `t-${'x'.repeat(40)}`, renewInMs: 5_400_000, expiresInMs: 7_200_000 }

async function main(): Promise<void> {
  const { place: kind, rounds, limitsOnly } = argument<Order>()
  const open = places[kind]
  if (open === undefined) throw new Error(`no such place: ${kind}`)
  const place = await open()
  try {
    const { name, version, bareName, near, distant, pid } = place
    await sequence(near, WARM_UP)
    if (distant !== undefined) await sequence(distant, DISTANT_CALLS)
    const sequences: Sequence[] = []
    const distantSequences: Sequence[] = []
    const crowds: Record<Crowded, Crowd>[] = []
    // A pool opens its connections with the first crowd.
    if (!limitsOnly) await crowd(place, 'bare')
    for (let round = 0; round < rounds; round++) {
      sequences.push(await sequence(near, CALLS))
      if (distant !== undefined) distantSequences.push(await sequence(distant, DISTANT_CALLS))
      if (!limitsOnly) crowds.push(await allCrowds(place))
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
        pid !== undefined && { server: ofCrowds((operation) => median(crowds.map((each) => each[operation].serverMicroseconds))) }),
    }
    answer(measured)
  } finally {
    await place.close()
  }
}

let keys = 0
const newKey = () => `bench/${keys++}`
const patience = () => ({ signal: AbortSignal.timeout(60_000) })

/** What each call took, microseconds. */
type Sequence = Readonly<Record<Operation, readonly number[]>>

/** One figure of each sequence. */
function together(sequences: readonly Sequence[], figure: (taken: readonly number[]) => number): Rounds<Operation> {
  return Object.fromEntries(OPERATIONS.map((name) => [name, sequences.map((each) => figure(each[name]))])) as Record<Operation, number[]>
}

/** One after the other, each operation in turn. */
async function sequence({ store, bare }: Way, calls: number): Promise<Sequence> {
  const taken = Object.fromEntries(OPERATIONS.map((name) => [name, []])) as unknown as Record<Operation, number[]>
  const timed = async <T>(name: Operation, call: () => Promise<T>): Promise<T> => {
    const begun = performance.now()
    const result = await call()
    taken[name].push((performance.now() - begun) * 1_000)
    return result
  }
  const known: string[] = []
  for (let each = 0; each < calls; each++) {
    const key = newKey()
    const signal = patience()
    await timed('bare', bare)
    const claim = await timed('claim', () => store.claim(key, `${key}.1`, LEASE, signal))
    if (claim.kind !== 'granted') throw new Error(`a claim of a new key was answered ${claim.kind}`)
    const { kind } = await timed('publish', () => store.publish(key, `${key}.1`, claim.fence, TOKEN, signal))
    if (kind !== 'accepted') throw new Error(`a publication was answered ${kind}`)
    known.push(key)
    await timed('read', () => store.read([key], signal))
    const renewal = { ...LEASE, seen: claim.fence, rejected: claim.fence }
    const again = await timed('claim again', () => store.claim(key, `${key}.2`, renewal, signal))
    if (again.kind !== 'granted') throw new Error(`a claim of a token to be renewed was answered ${again.kind}`)
    const renewed = await timed('publish again', () => store.publish(key, `${key}.2`, again.fence, TOKEN, signal))
    if (renewed.kind !== 'accepted') throw new Error(`the publication of a renewal was answered ${renewed.kind}`)
    const hundred = Array.from({ length: 100 }, (_, index) => known[(each + index) % known.length] ?? key)
    await timed('read 100', () => store.read(hundred, signal))
  }
  return taken
}

interface Crowd {
  readonly perSecond: number
  readonly serverMicroseconds: number
}

async function allCrowds(place: Place): Promise<Record<Crowded, Crowd>> {
  const crowds: Partial<Record<Crowded, Crowd>> = {}
  for (const operation of CROWDED) crowds[operation] = await crowd(place, operation)
  return crowds as Record<Crowded, Crowd>
}

async function crowd({ near: { store, bare }, pid }: Place, name: Crowded): Promise<Crowd> {
  const signal = patience()
  const size = name === 'read 100' ? CROWD_OF_HUNDREDS : CROWD
  const anyKey = () => `bench/${Math.floor(Math.random() * keys)}`
  const claim = async () => {
    const key = newKey()
    const claimed = await store.claim(key, key, LEASE, signal)
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
      if (own !== undefined) await store.publish(own.key, own.key, own.fence, TOKEN, signal)
    },
    read: () => store.read([anyKey()], signal),
    'read 100': () => store.read(Array.from({ length: 100 }, anyKey), signal),
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
