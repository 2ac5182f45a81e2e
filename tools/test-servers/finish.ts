import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { text } from 'node:stream/consumers'
import { identity } from './machine.ts'

/** Runs a program of a server to its end, as the user that owns the server's files. */
export async function finish(command: string, args: readonly string[]): Promise<void> {
  const child = spawn(command, args, { cwd: tmpdir(), stdio: ['ignore', 'ignore', 'pipe'], ...identity() })
  const [[status], said] = await Promise.all([once(child, 'close'), text(child.stderr)])
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed:\n${said}`)
}
