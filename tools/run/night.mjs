import { parseArgs } from 'node:util'

/** Worlds that a night plays. */
export const WORLDS = 100_000

const DAY_MS = 86_400_000
/** The day before that of the first nights' seeds: they begin beyond those that a change plays. */
const EPOCH_MS = Date.UTC(2025, 11, 31)

/**
 * The first seed of a night's worlds. Each day has as many of its own as a night plays, so that no night searches what another has, and one
 * that is begun again on the same day, or anywhere else, searches the same.
 * @param {readonly string[]} args of the command line: `--first` plays those of another night
 * @param {Date} now
 */
export function firstSeed(args, now) {
  const { values } = parseArgs({ args: [...args], options: { first: { type: 'string' } } })
  if (values.first === undefined) return Math.floor((now.getTime() - EPOCH_MS) / DAY_MS) * WORLDS + 1
  if (!/^[1-9]\d{0,8}$/.test(values.first)) throw new Error(`--first takes a whole number of up to nine digits, got ${values.first}`)
  return Number(values.first)
}
