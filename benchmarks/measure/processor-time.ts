import { readdirSync, readFileSync } from 'node:fs'

/** Of Linux's accounts in `stat`, wherever it runs. */
const TICK_MS = 10
const NANOSECONDS = 1e6

/**
 * Milliseconds of a processor that a process and its children have used; undefined where the system does not tell. As exact as the scheduler's
 * own account, but for what has ended meanwhile: that is known in ticks of 10 ms.
 */
export function processorMs(pid: number): number | undefined {
  let used = 0
  try {
    for (const entry of readdirSync('/proc')) {
      if (!/^\d+$/.test(entry)) continue
      const stat = statOf(entry)
      if (stat === undefined) continue
      const isItself = entry === String(pid)
      // A child that has ended, as a back end of PostgreSQL does with its connection, is in its parent's account.
      if (isItself) used += stat.endedMs
      // Threads that have ended are in the ticks alone; and so is everything where the scheduler keeps no account.
      if (isItself || stat.parent === pid) used += Math.max(stat.ms, scheduledMs(entry))
    }
  } catch {
    return undefined
  }
  return used
}

/**
 * Milliseconds for which the main thread of this process could have run and had no processor, since it began; undefined where the system does not
 * tell.
 */
export function coreAwaitedMs(): number | undefined {
  try {
    return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')[1]) / NANOSECONDS
  } catch {
    return undefined
  }
}

interface Stat {
  readonly parent: number
  readonly ms: number
  /** Of its children that have ended. */
  readonly endedMs: number
}

function statOf(entry: string): Stat | undefined {
  try {
    const stat = readFileSync(`/proc/${entry}/stat`, 'utf8')
    // The second field, the name, may hold anything.
    const [, parent, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const ms = (first: number) => (Number(rest[first]) + Number(rest[first + 1])) * TICK_MS
    return { parent: Number(parent), ms: ms(9), endedMs: ms(11) }
  } catch {
    // It has ended meanwhile.
    return undefined
  }
}

/** Of all threads that have not ended; 0 where the system does not tell. */
function scheduledMs(entry: string): number {
  let nanoseconds = 0
  try {
    for (const task of readdirSync(`/proc/${entry}/task`)) nanoseconds += scheduledNanoseconds(`/proc/${entry}/task/${task}/schedstat`)
  } catch {
    // It has ended meanwhile.
  }
  return nanoseconds / NANOSECONDS
}

function scheduledNanoseconds(file: string): number {
  try {
    return Number(readFileSync(file, 'utf8').split(' ', 1)[0])
  } catch {
    return 0
  }
}
