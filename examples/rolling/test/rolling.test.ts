import { expect, test } from 'vitest'
import { randomSecret, record } from '../../../tools/leak-search/index.ts'
import { report } from '../figures.ts'
import { roll } from '../roll.ts'

/** Two halves of a life, and eight processes to be started and ended. */
const LONGEST_MS = 90_000

const rolled = async (signal: 'SIGTERM' | 'SIGKILL') => {
  const figures = await roll({ signal, secret: randomSecret, onOutput: (output) => record('output of the service', output) })
  console.log(`${signal}\n${report(figures)}`)
  return figures
}

test(
  'four processes are replaced under load: no request fails, no token too many, no lease has to run out',
  async () => {
    const { failed, extra, takeovers, leasesLeft, exits, endedInFetch, renewals } = await rolled('SIGTERM')
    expect({ failed, extra, takeovers, leasesLeft, exits }).toEqual({
      failed: [],
      extra: [],
      takeovers: 0,
      leasesLeft: 0,
      exits: Array(8).fill(0),
    })
    // It was put to the test.
    expect(endedInFetch).toBeGreaterThan(0)
    expect(renewals).toBeGreaterThan(0)
  },
  LONGEST_MS,
)

test(
  'killed in the same moments, they leave leases behind that have to run out',
  async () => {
    const { takeovers, endedInFetch } = await rolled('SIGKILL')
    expect(endedInFetch).toBeGreaterThan(0)
    expect(takeovers).toBeGreaterThan(0)
  },
  LONGEST_MS,
)
