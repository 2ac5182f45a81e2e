import { parseArgs } from 'node:util'

const STORES = ['sqlite', 'redis', 'postgres', 'memory'] as const

export interface DemoOptions {
  readonly store: (typeof STORES)[number]
  /** A server of the user's own. */
  readonly url?: string
}

export const USAGE = `usage: npm run demo [-- --store <store> [--url <url>]]

  --store sqlite     4 processes share one file; nothing to install (default)
  --store redis      4 processes share a Redis
  --store postgres   4 processes share a PostgreSQL
  --store memory     one process, and virtual time: two rotations and an outage in a moment
  --url <url>        a server of your own: redis://…, rediss://… or postgres://…; also taken from TEST_REDIS_URL or TEST_POSTGRES_URL.
                     Without one, a server is started for the demo. On yours, records are kept apart and removed.`

const SCHEMES: Partial<Record<DemoOptions['store'], readonly string[]>> = {
  redis: ['redis:', 'rediss:'],
  postgres: ['postgres:', 'postgresql:'],
}

/**
 * Reads the command line.
 * @returns `'help'` when that was asked for
 * @throws Error that says what is wrong with it
 */
export function readOptions(args: readonly string[]): DemoOptions | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: { store: { type: 'string', default: 'sqlite' }, url: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
  })
  if (values.help === true) return 'help'
  const store = STORES.find((each) => each === values.store)
  if (store === undefined) throw new Error(`--store: expected ${STORES.join(', ')}, got '${values.store}'`)
  const { url } = values
  if (url === undefined) return { store }
  const schemes = SCHEMES[store]
  if (schemes === undefined) throw new Error('--url: only with --store redis or --store postgres')
  // A URL can hold a password: it is not repeated.
  if (!URL.canParse(url) || !schemes.includes(new URL(url).protocol)) {
    throw new Error(`--url: expected one that begins with ${schemes.map((scheme) => `${scheme}//`).join(' or ')}`)
  }
  return { store, url }
}
