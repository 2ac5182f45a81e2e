// A platform in a process of its own. Tells its parent where it is, and goes with it.
import { startFeishuSimulator } from '@tokenwell/feishu-simulator'
import { APP } from './app.ts'

export interface Address {
  readonly url: string
  readonly ticket: string
}

const platform = await startFeishuSimulator({ apps: [APP], pushTickets: 'manual' })
process.send?.({ url: platform.url, ticket: platform.issueTicket(APP.appId) } satisfies Address)
process.once('disconnect', () => process.exit(0))
