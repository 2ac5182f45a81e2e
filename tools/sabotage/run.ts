import { spawn } from 'node:child_process'

/** How a program ended. */
export interface Ended {
  /** Its exit code; undefined when it took too long and was ended. */
  readonly code: number | undefined
  readonly output: string
}

/**
 * Runs a program to its end, or for `patienceMs`; then it is ended, and what it has started with it.
 * @throws the signal's reason, once the program has ended
 */
export async function run(
  command: string,
  args: readonly string[],
  { cwd, patienceMs, signal }: { readonly cwd: string; readonly patienceMs: number; readonly signal: AbortSignal },
): Promise<Ended> {
  signal.throwIfAborted()
  // A group of its own, so that what it starts can be ended with it.
  const child = spawn(command, args, { cwd, detached: true, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, NO_COLOR: '1' } })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk
    })
  }
  let isLate = false
  const end = () => {
    if (child.pid === undefined) return
    try {
      process.kill(-child.pid, 'SIGKILL')
    } catch {
      // It has ended by itself.
    }
  }
  const timer = setTimeout(() => {
    isLate = true
    end()
  }, patienceMs)
  signal.addEventListener('abort', end, { once: true })
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.on('error', reject)
      child.on('close', resolve)
    })
    signal.throwIfAborted()
    return { code: isLate || code === null ? undefined : code, output }
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', end)
  }
}
