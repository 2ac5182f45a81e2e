/** `npm run chaos`: exits with 1 if something was not as it should be, with 2 for a wrong argument, with 130 when it is interrupted. */
import { check } from './check.ts'
import { type ChaosOptions, readOptions, USAGE } from './options.ts'
import { report, writeSlices } from './report.ts'
import { runChaos } from './run.ts'

const INTERRUPTED = 130

function interruption(): AbortSignal {
  const called = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => called.abort(new Error(`ended by ${signal}`)))
  return called.signal
}

async function run(options: ChaosOptions): Promise<number> {
  const started = performance.now()
  const signal = interruption()
  console.log(`chaos on ${options.store} for ${options.minutes} min, --seed ${options.seed}`)
  try {
    const account = await runChaos(options, signal, console.log)
    const violations = check(account)
    console.log(report(account, violations))
    for (const { what } of violations.slice(0, 20)) console.error(`NOT as it should be: ${what}`)
    if (violations.length > 0) console.error(`What happened around it: ${writeSlices(options, account, violations)}`)
    const verdict = violations.length === 0 ? 'All as it should be' : 'FAILED'
    console.log(`${verdict}, in ${((performance.now() - started) / 1_000).toFixed(1)} s, --seed ${options.seed}`)
    return violations.length === 0 ? 0 : 1
  } catch (error) {
    if (signal.aborted) {
      console.error('interrupted; nothing is left')
      return INTERRUPTED
    }
    console.error(`FAILED, --seed ${options.seed}: ${error instanceof Error ? error.stack : error}`)
    return 1
  }
}

function read(args: readonly string[]): ChaosOptions | 'help' | undefined {
  try {
    return readOptions(args)
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${USAGE}`)
    return undefined
  }
}

const options = read(process.argv.slice(2))
if (options === undefined) process.exitCode = 2
else if (options === 'help') console.log(USAGE)
else process.exit(await run(options))
