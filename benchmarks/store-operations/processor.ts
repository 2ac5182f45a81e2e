import { processorMs } from '../measure/processor-time.ts'
import { median } from '../measure/statistics.ts'
import { BLOCK, BLOCKS, type Weighed } from './measured.ts'
import type { Way } from './places.ts'
import { type Claimed, claim, patience, publish, type Records } from './records.ts'

/**
 * What the processors of a server spend on a call, one at a time, microseconds: the medians of blocks of calls, in turn. Of many under way at
 * once a server reads and answers several together, the more the less it has to do for each, so that they cannot be compared.
 * @param pid the server's
 */
export async function serverTime({ store, bare }: Way, pid: number, records: Records): Promise<Readonly<Record<Weighed, number>>> {
  const operation = patience()
  const spent: Record<Weighed, number[]> = { bare: [], claim: [], publish: [] }
  const block = async (name: Weighed, call: () => Promise<unknown>) => {
    const before = processorMs(pid) ?? Number.NaN
    for (let each = 0; each < BLOCK; each++) await call()
    spent[name].push((((processorMs(pid) ?? Number.NaN) - before) * 1_000) / BLOCK)
  }
  for (let turn = 0; turn < BLOCKS; turn++) {
    const claimed: Claimed[] = []
    await block('bare', bare)
    await block('claim', async () => claimed.push(await claim(store, records.newKey(), operation)))
    const left = claimed.values()
    await block('publish', () => publish(store, next(left), operation))
    for (const { key } of claimed) records.add(key)
  }
  return { bare: median(spent.bare), claim: median(spent.claim), publish: median(spent.publish) }
}

function next(left: Iterator<Claimed>): Claimed {
  const { value, done } = left.next()
  if (done) throw new Error('there is nothing left to publish')
  return value
}
