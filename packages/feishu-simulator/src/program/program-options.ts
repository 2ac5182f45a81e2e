import { parseArgs } from 'node:util'
import { checkEventUrl } from '../options.ts'

export interface ProgramOptions {
  readonly port: number
  /** Where events are pushed to. */
  readonly push: string
  /** Milliseconds from one ticket to the next. */
  readonly intervalMs: number
  /** The tenant that the printed example asks for. */
  readonly tenant: string
}

export const USAGE = `Usage: npx @tokenwell/feishu-simulator [options]

Behaves like the token endpoints of Feishu and Lark, prints the options with which a client reaches it, and pushes app tickets.

  --port <number>       where it listens, on 127.0.0.1; 0 for any free port (default 4010)
  --push <url>          where it pushes events to (default http://localhost:3000/events)
  --interval <seconds>  time from one app ticket to the next; the first comes at once (default 3600)
  --tenant <key>        the tenant in the printed example; tokens are given out for any (default tenant-1)
  --help                print this
`

const LONGEST_INTERVAL_S = 7 * 24 * 3_600
const LONGEST_TENANT_KEY = 64

/** `'help'` where that is asked for. @throws TypeError for an option that is not known, or whose value is wrong */
export function readOptions(args: readonly string[]): ProgramOptions | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      port: { type: 'string', default: '4010' },
      push: { type: 'string', default: 'http://localhost:3000/events' },
      interval: { type: 'string', default: '3600' },
      tenant: { type: 'string', default: 'tenant-1' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return 'help'
  const { port, push, interval, tenant } = values
  checkEventUrl(push, '--push')
  if (tenant === '' || tenant.length > LONGEST_TENANT_KEY) {
    throw new TypeError(`--tenant: expected 1 to ${LONGEST_TENANT_KEY} characters, got ${tenant.length}`)
  }
  return {
    port: wholeNumber('--port', port, 0, 65_535),
    push,
    intervalMs: wholeNumber('--interval', interval, 1, LONGEST_INTERVAL_S) * 1_000,
    tenant,
  }
}

function wholeNumber(name: string, text: string, least: number, most: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (!(value >= least && value <= most)) throw new TypeError(`${name}: expected a whole number from ${least} to ${most}, got '${text}'`)
  return value
}
