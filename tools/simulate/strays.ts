import { setImmediate as turn } from 'node:timers/promises'

/**
 * Runs something, and collects what is thrown or rejected meanwhile in this thread without anybody catching it: it would have ended a
 * program, and here it would end the run without a word of the world that it came from.
 */
export async function withStrays<T>(run: () => Promise<T>): Promise<{ readonly value: T; readonly strays: readonly string[] }> {
  const strays: string[] = []
  const stray = (error: unknown) => void strays.push(`thrown, and caught by nobody: ${String(error)}`)
  process.on('uncaughtException', stray)
  process.on('unhandledRejection', stray)
  try {
    const value = await run()
    // That nobody caught a rejection is known when all promises have settled.
    await turn()
    return { value, strays }
  } finally {
    process.off('uncaughtException', stray)
    process.off('unhandledRejection', stray)
  }
}
