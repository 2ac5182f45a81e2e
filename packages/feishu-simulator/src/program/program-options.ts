import { isIP } from 'node:net'
import { parseArgs } from 'node:util'
import { checkEventUrl } from '../options.ts'

export interface ProgramOptions {
  readonly host: string
  readonly port: number
  /** What a store app has; absent for a custom app. */
  readonly store: StoreAppOptions | undefined
}

export interface StoreAppOptions {
  /** Where events are pushed to. */
  readonly push: string
  /** Milliseconds from one ticket to the next. */
  readonly intervalMs: number
  /** The tenant that the printed example asks for. */
  readonly tenant: string
}

export const USAGE = `Usage: npx @tokenwell/feishu-simulator [options]

Behaves like the token endpoints of Feishu and Lark, prints the options with which a client reaches it, and pushes app tickets.

  --host <address>      where it listens (default 127.0.0.1); 0.0.0.0 in a container, so that its port can be published
  --port <number>       the same; 0 for any free port (default 4010)
  --push <url>          where it pushes events to (default http://localhost:3000/events)
  --interval <seconds>  time from one app ticket to the next; the first comes at once (default 3600)
  --tenant <key>        the tenant in the printed example; tokens are given out for any (default tenant-1)
  --custom              a custom app instead of a store app: one tenant, no tickets, and none of the three options above
  --help                print this
`

const LONGEST_INTERVAL_S = 7 * 24 * 3_600
const LONGEST_TENANT_KEY = 64

/** `'help'` where that is asked for. @throws TypeError for an option that is not known, or whose value is wrong */
export function readOptions(args: readonly string[]): ProgramOptions | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      host: { type: 'string', default: '127.0.0.1' },
      port: { type: 'string', default: '4010' },
      push: { type: 'string' },
      interval: { type: 'string' },
      tenant: { type: 'string' },
      custom: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return 'help'
  const { host, port, custom, ...store } = values
  if (isIP(host) === 0) throw new TypeError(`--host: expected an IP address, such as 0.0.0.0, got '${host}'`)
  return { host, port: wholeNumber('--port', port, 0, 65_535), store: custom ? noStoreApp(store) : storeApp(store) }
}

interface GivenOfStoreApp {
  readonly push?: string
  readonly interval?: string
  readonly tenant?: string
}

function storeApp({ push = 'http://localhost:3000/events', interval = '3600', tenant = 'tenant-1' }: GivenOfStoreApp): StoreAppOptions {
  checkEventUrl(push, '--push')
  if (tenant === '' || tenant.length > LONGEST_TENANT_KEY) {
    throw new TypeError(`--tenant: expected 1 to ${LONGEST_TENANT_KEY} characters, got ${tenant.length}`)
  }
  return { push, intervalMs: wholeNumber('--interval', interval, 1, LONGEST_INTERVAL_S) * 1_000, tenant }
}

function noStoreApp(given: GivenOfStoreApp): undefined {
  for (const name of ['push', 'interval', 'tenant'] as const) {
    if (given[name] !== undefined) throw new TypeError(`--${name}: a custom app has one tenant and is pushed no tickets`)
  }
}

function wholeNumber(name: string, text: string, least: number, most: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (!(value >= least && value <= most)) throw new TypeError(`${name}: expected a whole number from ${least} to ${most}, got '${text}'`)
  return value
}
