/**
 * Loaded into the process before the function: its wall clock is ahead by as many milliseconds as the file `CLOCK_FILE` says, and with
 * `CLOCKS=both` its monotonic clock is, too. Where a machine is suspended the wall clock alone has moved when it wakes up; where a process is stopped,
 * both have.
 */
import { readFileSync } from 'node:fs'

const { CLOCK_FILE = '', CLOCKS } = process.env

function moved(now: () => number): () => number {
  return () => now() + Number(readFileSync(CLOCK_FILE, 'utf8'))
}

Date.now = moved(Date.now)
if (CLOCKS === 'both') performance.now = moved(performance.now.bind(performance))
