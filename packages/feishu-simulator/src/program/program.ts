import type { DeliveryAttempt } from '../delivery.ts'
import type { SimulatedApp } from '../options.ts'
import { type FeishuSimulator, startFeishuSimulator } from '../simulator.ts'
import { requestLine, whyNotTaken } from './event-log.ts'
import { APP, greeting } from './greeting.ts'
import { type ProgramOptions, readOptions, USAGE } from './program-options.ts'

/** An event that was not taken comes again after so long, milliseconds: somebody is about to start the service that takes it. */
const AGAIN_MS = 2_000

/** The program: runs until it is told to end. Sets the exit code: 2 for wrong options, 1 for any other failure. */
export async function runProgram(args: readonly string[]): Promise<void> {
  let options: ProgramOptions | 'help'
  try {
    options = readOptions(args)
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n\n${USAGE}`)
    process.exitCode = 2
    return
  }
  if (options === 'help') {
    process.stdout.write(USAGE)
    return
  }
  try {
    await serve(options)
  } catch (error) {
    process.stderr.write(`${failureOf(error, options)}\n`)
    process.exitCode = 1
  }
}

async function serve({ host, port, store }: ProgramOptions): Promise<void> {
  const app: SimulatedApp = store === undefined ? { ...APP, type: 'custom' } : { ...APP, eventUrl: store.push }
  const simulator = await startFeishuSimulator({ host, port, apps: [app], ...(store && { ticketEveryMs: store.intervalMs }) })
  process.stdout.write(`${greeting(simulator.url, store)}\n`)
  simulator.on('reply', (record) => say(requestLine(record)))
  const stopPushing = store && pushUntilTaken(simulator)
  try {
    await told('SIGINT', 'SIGTERM')
  } finally {
    stopPushing?.()
    await simulator.close()
  }
}

/** Pushes a ticket, and every event again until it is taken. Whoever does not take it is reported once. */
function pushUntilTaken(simulator: FeishuSimulator): () => void {
  let isDown = false
  let timer: NodeJS.Timeout | undefined
  const onAttempt = (attempt: DeliveryAttempt): void => {
    if (attempt.acknowledged) {
      isDown = false
      say(`${attempt.delivery.type} pushed: taken`)
      return
    }
    if (!isDown) say(`${attempt.delivery.type} pushed: not taken, ${whyNotTaken(attempt)}. Trying every ${AGAIN_MS / 1_000} s until it is`)
    isDown = true
    timer ??= setTimeout(() => {
      timer = undefined
      void simulator.redeliver(attempt.delivery)
    }, AGAIN_MS)
  }
  const stopListening = simulator.on('delivery', onAttempt)
  void simulator.pushTicket(APP.appId)
  return () => {
    stopListening()
    clearTimeout(timer)
  }
}

/** Resolves with the first of these signals. */
function told(...signals: readonly NodeJS.Signals[]): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of signals) process.once(signal, () => resolve())
  })
}

function say(line: string): void {
  process.stdout.write(`${new Date().toISOString().slice(11, 19)} ${line}\n`)
}

function failureOf(error: unknown, { host, port }: ProgramOptions): string {
  const code = error instanceof Error ? Reflect.get(error, 'code') : undefined
  if (code === 'EADDRINUSE') return `port ${port} is taken: choose another with --port, or let the machine choose with --port 0`
  if (code === 'EACCES') return `port ${port} may not be used: choose another with --port, 1024 or more`
  if (code === 'EADDRNOTAVAIL') return `this machine has no address ${host}: choose another with --host, such as 127.0.0.1`
  return messageOf(error)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
