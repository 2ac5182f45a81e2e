import type { Entry } from '@tokenwell/fleet'

/** A process was frozen, or, without a name, the machinery around the fleet did not get to run. Moments of the machine's clock. */
export interface Stop {
  /** Of the process; absent for the one that carries the wires and plays the platform. */
  readonly node?: string
  readonly from: number
  readonly to: number
}

/** What was done to the fleet. */
export interface Strike {
  readonly at: number
  readonly until: number
  readonly on: string
  readonly kind: string
}

/** A request that the platform received. */
export interface Request {
  /** When, by the machine's clock. */
  readonly at: number
  /** The key of what it was for, as the fleet calls it. */
  readonly key: string
  /** Of the refresh token in it. */
  readonly digest?: string
  /** It was answered, with the code of a refusal: nothing was used up. */
  readonly isRefused: () => boolean
}

/** One process from its beginning to its end. */
export interface Life {
  readonly node: string
  /** Whatever it printed. */
  readonly output: string
  /** How it ended, if nobody ended it; or with what, if it was asked to. */
  readonly unexpected?: string
  /** When it was killed, by the machine's clock. */
  readonly killedAt?: number
}

/** What came of one credential in the quiet at the end. */
export interface Rest {
  readonly key: string
  /** From the end of the last fault until all processes had the same good token and nothing left to do; absent: never. Milliseconds. */
  readonly afterMs?: number
  /** What the processes said last. */
  readonly said: string
}

/** All that is known of a run. */
export interface Account {
  readonly entries: readonly Entry[]
  readonly stops: readonly Stop[]
  readonly strikes: readonly Strike[]
  readonly requests: readonly Request[]
  readonly lives: readonly Life[]
  readonly rests: readonly Rest[]
  /** When the platform first called a token ended, by the machine's clock and by the token's digest. */
  readonly ends: ReadonlyMap<string, number>
  /** What else was wrong: a simulator that failed, a process that is left. */
  readonly mishaps: readonly string[]
  /** When the fleet was sound, when the last fault had ended, when all was over. */
  readonly began: number
  readonly quietFrom: number
  readonly ended: number
  readonly keys: readonly string[]
  /** The fleet's processes, each by the name that its lives have in common. */
  readonly processes: readonly string[]
  /** How many faults were planned for each target that had any. */
  readonly planned: ReadonlyMap<string, number>
  /** Faults that had no occasion: the process did not come to that point, or the fault before took longer than planned. */
  readonly missed: number
  /** Users who had to be sent to the authorisation page again. */
  readonly authorizedAgain: number
}

/** How much of this time a process was frozen, milliseconds. `also`: or stood still because of those around it. */
export function stoppedMs(stops: readonly Stop[], node: string, from: number, to: number, also?: 'around'): number {
  return stops.reduce((sum, stop) => {
    const counts = stop.node === node || (also === 'around' && stop.node === undefined)
    return counts ? sum + Math.max(0, Math.min(to, stop.to) - Math.max(from, stop.from)) : sum
  }, 0)
}

/** When the store forgot what it had acknowledged: before and after each time. `key`: what of this one, and not of another alone. */
export function losses(entries: readonly Entry[], key?: string): number[] {
  return entries.flatMap((entry) => (isLoss(entry) && (key === undefined || concerns(entry, key)) ? [entry.at] : []))
}

function isLoss(entry: Entry): entry is Marked {
  return entry.kind === 'mark' && (entry.what === 'losing-data' || entry.what === 'data-loss')
}

/** Whether this was done to the record of this key. */
export function concerns({ key: own }: Marked, key: string): boolean {
  return own === undefined || own === key
}

type Marked = Extract<Entry, { readonly kind: 'mark' }>
