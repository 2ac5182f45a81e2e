import { type Entry, machineNow, withoutNamespace } from '@tokenwell/fleet'
import type { Strike } from './account.ts'
import type { Crew } from './crew.ts'
import { NoOccasion, type Pause } from './pause.ts'
import type { Loses, Place } from './place.ts'
import { nameOf, type Planned } from './plan.ts'
import type { Upstream } from './upstream.ts'
import { strikeWire } from './wires.ts'

/** A fault that is so late has no place in the plan any more, milliseconds. */
const TOO_LATE_MS = 5_000
const LOGINS_EVERY_MS = 3_000

/** Whatever can be struck, and where losses are noted. */
interface Struck {
  readonly place: Place
  readonly upstream: Upstream
  readonly crew: Crew
  readonly entries: Entry[]
}

/** Has everything in a plan happen: what strikes one target one after the other, and all targets side by side. */
export async function carryOut(
  plan: readonly Planned[],
  { began, forMs }: { readonly began: number; readonly forMs: number },
  world: Struck,
  pause: Pause,
) {
  const { upstream, crew } = world
  const strikes: Strike[] = []
  let missed = 0
  let isOver = false

  async function carryOutLane(lane: readonly Planned[]): Promise<void> {
    for (const fault of lane) {
      const lateMs = machineNow() - began - fault.at
      if (lateMs > TOO_LATE_MS) {
        missed += 1
        continue
      }
      await pause(-lateMs)
      const at = machineNow()
      const hasStruck = await strike(fault, world, pause, began + forMs - at).catch((error: unknown) => {
        if (error instanceof NoOccasion) return false
        throw error
      })
      if (!hasStruck) missed += 1
      else strikes.push({ at, until: machineNow(), on: nameOf(fault), kind: fault.kind })
    }
  }

  async function keepSignedIn(): Promise<void> {
    while (!isOver) {
      await pause(LOGINS_EVERY_MS)
      // It may go to somebody who is frozen meanwhile.
      void upstream.authorize(crew)
    }
  }

  const lanes = Map.groupBy(plan, nameOf)
  const signedIn = keepSignedIn()
  // Called off, it is the lanes that say so.
  signedIn.catch(() => {})
  // A server that is being started is not left behind.
  const outcomes = await Promise.allSettled([...lanes.values()].map(carryOutLane))
  isOver = true
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
  return { strikes, missed }
}

/** @returns whether there was an occasion for it */
async function strike(fault: Planned, { place, upstream, crew, entries }: Struck, pause: Pause, withinMs: number): Promise<boolean> {
  const loses: Loses = (what, key) =>
    void entries.push({ at: machineNow(), node: 'chaos', kind: 'mark', what, ...(key !== undefined && { key: withoutNamespace(key) }) })
  switch (fault.on) {
    case 'process':
      return crew.strike(fault.node, fault, pause, withinMs)
    case 'wire': {
      const wire = place.wires[fault.node]
      if (wire !== undefined) await strikeWire(wire, fault, pause)
      break
    }
    case 'server':
      await place.strike(fault, pause, loses)
      break
    case 'platform':
      await upstream.strike(fault, pause)
      break
    case 'tickets':
      // Nobody waits for an event that is not answered.
      void upstream.ticketEvent(fault, crew).catch(() => {})
  }
  return true
}
