import { setTimeout as passed } from 'node:timers/promises'

/** Asks until the answer is yes. @throws when it is not after `longestMs` */
export async function until(what: string, isSo: () => boolean | Promise<boolean>, longestMs = 30_000): Promise<void> {
  const deadline = performance.now() + longestMs
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`${what}: not so after ${longestMs} ms`)
    await passed(20)
  }
}
