import { setTimeout as passed } from 'node:timers/promises'

/** Milliseconds of a clock that all processes of the machine share, to the microsecond. */
export function sharedNow(): number {
  return performance.timeOrigin + performance.now()
}

/** Resolves at this moment of {@link sharedNow}, or at once if it has passed. */
export async function moment(at: number): Promise<void> {
  await passed(Math.max(0, at - sharedNow()))
}
