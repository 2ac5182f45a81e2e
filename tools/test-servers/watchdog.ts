// Ends servers whose starter is gone. Reads lines of JSON, `{ "add": Ward }` or `{ "remove": <its id> }`, until its standard input
// ends, which the system sees to also when the starter was killed. It runs in a session of its own: an interrupt from the terminal
// reaches the starter, not the watchdog.
import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Ward } from './wards.ts'

const wards = new Map<string, Ward>()

for await (const line of createInterface({ input: process.stdin })) {
  const { add, remove } = JSON.parse(line) as { readonly add?: Ward; readonly remove?: string }
  if (add !== undefined) wards.set(add.id, add)
  if (remove !== undefined) wards.delete(remove)
}

for (const { pid, container } of wards.values()) {
  if (container !== undefined) spawnSync('docker', ['rm', '--force', container], { stdio: 'ignore' })
  try {
    if (pid !== undefined) process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}
for (const { folder } of wards.values()) {
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 })
}
