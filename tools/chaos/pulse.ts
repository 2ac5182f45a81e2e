import { machineNow } from '@tokenwell/fleet'
import type { Stop } from './account.ts'

/** How often this process looks whether it gets to run, and how late is worth noting, milliseconds. */
const PULSE_MS = 50
const STALL_MS = 200

/** Notes when this process, which carries the wires and plays the platform, does not get to run. */
export class Pulse {
  readonly stalls: Stop[] = []
  #last = machineNow()
  readonly #timer = setInterval(() => {
    const now = machineNow()
    if (now - this.#last > PULSE_MS + STALL_MS) this.stalls.push({ from: this.#last, to: now })
    this.#last = now
  }, PULSE_MS)

  stop(): void {
    clearInterval(this.#timer)
  }
}
