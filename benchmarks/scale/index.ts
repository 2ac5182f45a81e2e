import { startRedis } from '@tokenwell/test-servers'
import type { Benchmark } from '../benchmark.ts'
import { inProcess } from '../measure/in-process.ts'
import { figure } from '../report/figure.ts'
import type { Limit } from '../report/report.ts'
import type { Measured, Order } from './worker.ts'

const LARGEST = 100_000
const SIZES = [1_000, 10_000, LARGEST]
/** Most that a token may take beyond its value, bytes. */
const MOST_BYTES = 1_024

const HOW = `One process with the tokens of many tenants, on Redis: the heap after a collection, less the heap before the first of them, without the
characters of the values. What is loaded once is in it too, so a few tenants look dear. Everything that is kept for a tenant is in it: handle, credential, state, timers, and both names by which it is found.`

export const scale: Benchmark = {
  name: 'scale',
  async measure({ ownOnly, progress }) {
    const rows: string[][] = []
    const limits: Limit[] = []
    for (const tenants of ownOnly ? [LARGEST] : SIZES) {
      progress(`${tenants} tenants`)
      const redis = await startRedis()
      try {
        const order: Order = { tenants, redisUrl: redis.url }
        const { bytesPerToken, warmMs } = await inProcess<Measured>(new URL('worker.ts', import.meta.url), order, ['--expose-gc'])
        rows.push([tenants.toLocaleString('en-US'), figure(bytesPerToken), figure(tenants / (warmMs / 1_000))])
        if (tenants === LARGEST) {
          limits.push({ what: `memory of a token to 1 KB, ${tenants} tenants`, ratio: bytesPerToken / MOST_BYTES, most: 1 })
        }
      } finally {
        await redis.stop()
      }
    }
    const columns = ['tenants', 'bytes a token', 'fetched a second']
    return { title: 'Many tenants', how: HOW, tables: [{ title: '', columns, rows }], charts: [], limits }
  },
}
