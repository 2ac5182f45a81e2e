import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import type { Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'

/** Something that must not outlive this process: a child process, a container or a folder. */
export interface Ward {
  readonly id: string
  readonly pid?: number | undefined
  readonly container?: string
  readonly folder?: string
}

let line: Writable | undefined

/** The way to the watchdog of this process, which is started when it is first needed. */
function watchdog(): Writable {
  if (line !== undefined) return line
  const file = fileURLToPath(new URL('./watchdog.ts', import.meta.url))
  const child = spawn(process.execPath, [file], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    env: { ...process.env, NODE_OPTIONS: '' },
  })
  // Neither may keep this process alive. The pipe is a socket, which its type does not say.
  child.unref()
  if ('unref' in child.stdin && typeof child.stdin.unref === 'function') child.stdin.unref()
  // Somebody has ended the watchdog: then nothing watches, and the tests go on.
  child.stdin.on('error', () => {})
  line = child.stdin
  return line
}

/** From now on this ends with this process at the latest. The function returned says that it has ended. */
export function guard(ward: Omit<Ward, 'id'>): () => void {
  const id = randomUUID()
  watchdog().write(`${JSON.stringify({ add: { id, ...ward } })}\n`)
  return () => {
    watchdog().write(`${JSON.stringify({ remove: id })}\n`)
  }
}
