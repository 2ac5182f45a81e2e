import { memoryStore } from '@tokenwell/store-memory'
import { mintedToken, type SimulationOptions, together } from '@tokenwell/testkit'
import { feishuApp } from '@tokenwell/testkit/feishu'

const MINUTE_MS = 60_000

export const NODES = 5
export const HOURS = 6
const TROUBLES = 40

/** A token that is renewed every three or four minutes: there is always something going on. */
export const brief = () =>
  mintedToken({
    name: 'brief',
    lifeMs: 6 * MINUTE_MS,
    sameAboveMs: 2 * MINUTE_MS,
    policy: { renewWindowMs: 2 * MINUTE_MS, renewJitterMs: MINUTE_MS / 2, floorMs: MINUTE_MS / 2 },
  })

/** One that lives for less than two of its windows, and so is renewed when half of its life is over. */
const short = () =>
  mintedToken({
    name: 'short',
    lifeMs: 6 * MINUTE_MS,
    sameAboveMs: 4 * MINUTE_MS,
    policy: { renewWindowMs: 5 * MINUTE_MS, renewJitterMs: MINUTE_MS, floorMs: MINUTE_MS / 2 },
  })

/** One whose upstream makes a new token for every request. */
const renewing = () => mintedToken({ sameAboveMs: Number.POSITIVE_INFINITY })

/** The world of a seed: half of them a Feishu app with its tickets, tenants and users, half of them tokens of any upstream. */
export function worldOf(seed: number): SimulationOptions {
  const scenario = seed % 2 === 0 ? feishuApp() : seed % 4 === 1 ? together(mintedToken(), brief()) : together(renewing(), short())
  return { seed, store: (clock) => memoryStore({ clock }), scenario, nodes: NODES, hours: HOURS, troubles: TROUBLES }
}
