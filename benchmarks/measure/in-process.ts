import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { guard } from '@tokenwell/test-servers'

const LONGEST_MS = 10 * 60_000

/** What a program started by {@link inProcess} calls when it knows. */
export function answer(value: unknown): void {
  process.send?.({ value }, () => process.disconnect())
}

/** What a program started by {@link inProcess} was given. */
export function argument<T>(): T {
  return JSON.parse(process.argv[2] ?? 'null') as T
}

/** Runs a program in a process of its own. @returns what it answers. @throws Error when it ends without an answer */
export function inProcess<T>(program: URL, given: unknown, execArgv: readonly string[] = []): Promise<T> {
  return new Promise((resolve, reject) => {
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
    child.on('message', ({ value }: { readonly value: T }) => resolve(value))
    child.on('error', reject)
    child.on('close', (code, signal) => {
      release()
      reject(new Error(`${program.pathname} ended (${signal ?? code}) without an answer.\n${printed}`))
    })
  })
}
