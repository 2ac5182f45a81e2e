import { readdirSync, readFileSync } from 'node:fs'

/** Of Linux's accounts, wherever it runs. */
const TICK_MS = 10

/** Milliseconds of a processor that a process and its children have used; undefined where the system does not tell. */
export function processorMs(pid: number): number | undefined {
  let ticks = 0
  try {
    for (const entry of readdirSync('/proc')) {
      if (!/^\d+$/.test(entry)) continue
      const fields = statOf(entry)
      if (fields === undefined) continue
      if (entry === String(pid) || fields.parent === pid) ticks += fields.ticks
    }
  } catch {
    return undefined
  }
  return ticks * TICK_MS
}

function statOf(entry: string): { readonly parent: number; readonly ticks: number } | undefined {
  try {
    const stat = readFileSync(`/proc/${entry}/stat`, 'utf8')
    // The second field, the name, may hold anything.
    const [, parent, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return { parent: Number(parent), ticks: Number(rest[9]) + Number(rest[10]) }
  } catch {
    // It has ended meanwhile.
    return undefined
  }
}
