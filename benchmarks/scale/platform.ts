// A platform in a process of its own, whose time can be moved on.
import { startFeishuSimulator } from '@tokenwell/feishu-simulator'
import { sharedNow } from '../measure/moment.ts'
import { serve } from '../measure/served.ts'
import { APP } from './app.ts'

export interface Address {
  readonly url: string
  readonly ticket: string
}

/** Milliseconds pass at once, or nothing is wanted but an answer. */
export interface Passing {
  readonly ms: number
}

let passedMs = 0
/** Of the requests for tokens of tenants since time has last passed, by the clock that all processes share. */
let mints: number[] = []

const platform = await startFeishuSimulator({
  apps: [APP],
  pushTickets: 'manual',
  clock: {
    wall: () => sharedNow() + passedMs,
    schedule(run, delayMs) {
      const timer = setTimeout(run, delayMs)
      return () => clearTimeout(timer)
    },
  },
})
platform.on('request', ({ endpoint }) => {
  if (endpoint === 'tenant_access_token') mints.push(sharedNow())
})

const address: Address = { url: platform.url, ticket: platform.issueTicket(APP.appId) }
serve<Passing, readonly number[]>(address, async ({ ms }) => {
  const known = mints
  mints = []
  passedMs += ms
  return known
})
