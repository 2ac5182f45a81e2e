import { setTimeout as passed } from 'node:timers/promises'

/** Resolves after so many milliseconds. @throws when everything is called off */
export type Pause = (ms: number) => Promise<void>

export function pauseUntil(signal: AbortSignal): Pause {
  return async (ms) => {
    await passed(Math.max(ms, 0), undefined, { signal })
  }
}

/** Asks until the answer is yes. @throws when it is not after `longestMs` */
export async function until(what: string, isSo: () => boolean | Promise<boolean>, pause: Pause, longestMs = 15_000): Promise<void> {
  const deadline = performance.now() + longestMs
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`${what}: not so after ${longestMs} ms`)
    await pause(20)
  }
}

/** A fault could not be brought about, and nothing has happened. */
export class NoOccasion extends Error {
  override readonly name = 'NoOccasion'
}

/** What fails here fails before anything has happened. */
export async function attempted<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (cause) {
    throw new NoOccasion('a server did not do what it was asked to', { cause })
  }
}
