import type { PublishRequest } from '@tokenwell/core'
import { recordKey } from './record-key.ts'
import type { StoreWatcher, Surroundings } from './scenario.ts'

/** So many renewals in a row that leave the same life, or the same part of it, are no accident. */
const RENEWALS = 6
/** Parts of a life that are no further apart are the same: two draws come as near in one of thousands of cases. */
const SAME_PART = 1e-5

/** Tokens that were fetched together are not to fall due together for ever: how early each is renewed is drawn. */
export function renewalsAreDrawn(name: string, { violate }: Surroundings): StoreWatcher {
  const key = recordKey(name)
  let same = 0
  let lastMs = Number.NaN
  let lastPart = Number.NaN
  return {
    published(published, { renewInMs, expiresInMs }: PublishRequest) {
      if (published !== key) return
      const earlyMs = expiresInMs - renewInMs
      const part = earlyMs / expiresInMs
      same = Math.abs(earlyMs - lastMs) < 1 || Math.abs(part - lastPart) < SAME_PART ? same + 1 : 1
      lastMs = earlyMs
      lastPart = part
      if (same === RENEWALS) violate(`${name} is renewed ${RENEWALS} times with the same ${earlyMs.toFixed(0)} ms to live`)
    },
  }
}
