import { randomUUID } from 'node:crypto'

/** Where core takes chance from. */
export interface Random {
  /** A number in [0, 1), for jitter. */
  fraction(): number
  /** A string that no other process draws, for attempts. */
  id(): string
}

/** `Math.random` for jitter, the system's generator for ids. */
export const systemRandom: Random = {
  fraction: () => Math.random(),
  id: () => randomUUID(),
}
