import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { guard } from '@tokenwell/test-servers'

const LONGEST_MS = 30 * 60_000

export interface Child {
  readonly process: ChildProcess
  /** Rejects when it ends, with what it has printed. */
  readonly ended: Promise<never>
}

/** Starts a program in a process of its own, which ends with this one. */
export function startChild(program: URL, given: unknown, execArgv: readonly string[] = []): Child {
  const child = fork(fileURLToPath(program), [JSON.stringify(given)], {
    execArgv: ['--disable-warning=ExperimentalWarning', ...execArgv],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    timeout: LONGEST_MS,
  })
  const release = guard({ pid: child.pid })
  let printed = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    printed += text
  })
  const ended = new Promise<never>((_resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => {
      release()
      reject(new Error(`${program.pathname} ended (${signal ?? code}) without an answer.\n${printed}`))
    })
  })
  // Whoever has had all answers does not wait for the end.
  ended.catch(() => {})
  return { process: child, ended }
}

/** What a program that was started so was given. */
export function argument<T>(): T {
  return JSON.parse(process.argv[2] ?? 'null') as T
}
