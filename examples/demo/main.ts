/** `npm run demo`: exits with 1 if something was not as it should be, with 2 for a wrong argument. */
import { type DemoOptions, readOptions, USAGE } from './options.ts'
import type { Report } from './report.ts'

async function demo(options: DemoOptions): Promise<Report> {
  if (options.store === 'memory') return (await import('./alone.ts')).runAlone()
  const [{ runFleet }, { provideStore }] = await Promise.all([import('./fleet-demo.ts'), import('./stores.ts')])
  const interrupted = interruption()
  const store = await provideStore(options)
  let report: Report
  try {
    report = await runFleet(store, interrupted)
  } catch (error) {
    // Whatever prevents this is what went wrong before.
    await store.close().catch(() => {})
    throw error
  }
  await store.close()
  return report
}

/** Rejects on a signal, so that processes, server and records are gone before the demo is. */
function interruption(): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => reject(new Error(`ended by ${signal}`)))
  // It may come while nobody waits for it yet.
  promise.catch(() => {})
  return promise
}

function read(args: readonly string[]): DemoOptions | 'help' | undefined {
  try {
    return readOptions(args)
  } catch (error) {
    console.error(`${textOf(error)}\n\n${USAGE}`)
    return undefined
  }
}

async function run(options: DemoOptions): Promise<number> {
  const started = performance.now()
  try {
    const { faults } = await demo(options)
    for (const fault of faults) console.error(`NOT as it should be: ${fault}`)
    console.log(`${faults.length === 0 ? 'All as it should be' : 'FAILED'}, in ${((performance.now() - started) / 1_000).toFixed(1)} s.`)
    return faults.length === 0 ? 0 : 1
  } catch (error) {
    console.error(`FAILED: ${textOf(error)}`)
    // Something may still wait for what will not come.
    process.exit(1)
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

const options = read(process.argv.slice(2))
if (options === undefined) process.exitCode = 2
else if (options === 'help') console.log(USAGE)
else process.exitCode = await run(options)
