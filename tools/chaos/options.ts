import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'

export const STORES = ['redis', 'postgres', 'sqlite'] as const
export type StoreName = (typeof STORES)[number]

export interface ChaosOptions {
  readonly store: StoreName
  /** How long the fleet is under load, the quiet end included. */
  readonly minutes: number
  readonly seed: number
}

/** Below, there would be no time for anything to go wrong before the quiet end. */
const LEAST_MINUTES = 0.6

export const USAGE = `usage: npm run chaos -- --minutes <minutes> --store <store> [--seed <seed>]

  --minutes   how long, ${LEAST_MINUTES} or more; a fraction is fine
  --store     redis, postgres or sqlite: a server, or a file, of its own
  --seed      what goes wrong, and when; printed by every run. Default: drawn`

/**
 * Reads the command line.
 * @returns `'help'` when that was asked for
 * @throws Error that says what is wrong with it
 */
export function readOptions(args: readonly string[]): ChaosOptions | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: { minutes: { type: 'string' }, store: { type: 'string' }, seed: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
  })
  if (values.help === true) return 'help'
  const store = STORES.find((each) => each === values.store)
  if (store === undefined) throw new Error(`--store: expected ${STORES.join(', ')}, got ${quoted(values.store)}`)
  const minutes = Number(values.minutes)
  if (!(minutes >= LEAST_MINUTES) || minutes === Number.POSITIVE_INFINITY) {
    throw new Error(`--minutes: expected a number of at least ${LEAST_MINUTES}, got ${quoted(values.minutes)}`)
  }
  const seed = values.seed === undefined ? randomInt(1_000_000) : Number(values.seed)
  if (!Number.isSafeInteger(seed) || seed < 0) throw new Error(`--seed: expected a whole number, got ${quoted(values.seed)}`)
  return { store, minutes, seed }
}

function quoted(value: string | undefined): string {
  return value === undefined ? 'none' : `'${value}'`
}
