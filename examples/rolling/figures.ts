import type { Tally } from './load.ts'
import type { Mints } from './mints.ts'

/** What came of a roll. */
export interface Figures extends Readonly<Tally>, Mints {
  /** Requests for a token that fell due while processes were being replaced. */
  readonly renewals: number
  /** Processes that were told to end while they were fetching a token. */
  readonly endedInFetch: number
  /** Leases that had to run out, because their holder vanished. */
  readonly takeovers: number
  /** Records that have a live lease when all processes have ended. */
  readonly leasesLeft: number
  /** How each of the replaced processes ended, and then each of those that replaced them. */
  readonly exits: readonly (number | NodeJS.Signals)[]
  readonly tookMs: number
}

export function report(figures: Figures): string {
  const { answered, failed, longestMs, tokens, extra, renewals, endedInFetch, takeovers, leasesLeft, exits, tookMs } = figures
  const counts = Object.values(tokens)
  const rows = [
    ['requests answered', answered],
    ['requests failed', failed.length === 0 ? 0 : `${failed.length}, with ${[...new Set(failed)].join(', ')}`],
    ['longest request', `${Math.round(longestMs)} ms`],
    ['credentials, tokens for each', `${counts.length}, ${Math.min(...counts)} to ${Math.max(...counts)}`],
    ['tokens renewed while processes were replaced', renewals],
    ['tokens that nobody needed', extra.length === 0 ? 0 : extra.join('; ')],
    ['processes told to end in the middle of a fetch', endedInFetch],
    ['leases that had to run out', takeovers],
    ['leases left at the end', leasesLeft],
    ['exits', exits.join(' ')],
    ['time', `${(tookMs / 1_000).toFixed(1)} s`],
  ]
  return rows.map(([what, figure]) => `  ${String(what).padEnd(48)}${figure}`).join('\n')
}
