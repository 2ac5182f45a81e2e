import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { type AlertCase, type Series, testRules } from './support/promtool.ts'

const path = fileURLToPath(new URL('../prometheus/alerts.yaml', import.meta.url))

interface Rule {
  readonly alert: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: { readonly summary: string; readonly description?: string }
}
const { groups } = parse(readFileSync(path, 'utf8')) as { readonly groups: readonly { readonly rules: readonly Rule[] }[] }
const rules = new Map(groups.flatMap((group) => group.rules.map((rule) => [rule.alert, rule] as const)))

/** A series of the process `a` of the job `shop`. */
function of(name: string, labels: Readonly<Record<string, string>>, values: string): Series {
  const written = Object.entries({ job: 'shop', instance: 'a', ...labels }).map(([label, value]) => `${label}="${value}"`)
  return [`${name}{${written.join(',')}}`, values]
}

/** How many keys of one kind are in one state. */
function keys(credential: string, token: string, state: string, error = '', values = '1x40'): Series {
  const labels = { tokenwell_credential: credential, tokenwell_token: token, tokenwell_state: state, error_type: error }
  return of('tokenwell_keys', labels, values)
}

const expiry = (credential: string, values: string, unit = '') =>
  of(`tokenwell_token_time_to_expiry${unit}`, { tokenwell_credential: credential }, values)
const backoff = (credential: string, values: string) => of('tokenwell_backoff_remaining', { tokenwell_credential: credential }, values)
const stored = (error: string, values: string, unit = '') =>
  of(`tokenwell_store_operation_duration${unit}_count`, { error_type: error }, values)
const fetched = (outcome: string, error: string, values: string, credential = 'tenant-access-token') =>
  of('tokenwell_fetch_duration_count', { tokenwell_credential: credential, tokenwell_outcome: outcome, error_type: error }, values)
const waits = (fast: string, all: string): Series[] => [
  of('tokenwell_wait_duration_bucket', { le: '5' }, fast),
  of('tokenwell_wait_duration_bucket', { le: '10' }, all),
  of('tokenwell_wait_duration_bucket', { le: '+Inf' }, all),
  of('tokenwell_wait_duration_count', {}, all),
]
const refusedEvents = (values: string) => of('tokenwell_refused_events_total', { http_response_status_code: '401' }, values)
const tickets = (outcome: string, values: string) => of('tokenwell_ticket_events_total', { tokenwell_outcome: outcome }, values)
const unreadable = (values: string) => of('tokenwell_unreadable_records_total', {}, values)

interface Fires {
  readonly series: readonly Series[]
  readonly atMinutes: number
  readonly labels: Readonly<Record<string, string>>
  readonly summary: string
}
interface Quiet {
  readonly series: readonly Series[]
  readonly atMinutes: number
}

const ofTenants = { job: 'shop', tokenwell_credential: 'tenant-access-token' }
const ofACustomApp = { job: 'shop', tokenwell_credential: 'custom-app-tokens' }
const ofTheApp = { job: 'shop', tokenwell_credential: 'app-access-token' }

/** Of each alert: when it fires, and with what; and what is none of its business. */
const cases: Readonly<
  Record<string, { readonly fires: Readonly<Record<string, Fires>>; readonly quiet: Readonly<Record<string, Quiet>> }>
> = {
  TokenwellNoToken: {
    fires: {
      'a tenant has none for a minute': {
        series: [keys('tenant-access-token', 'none', 'cooling', 'UPSTREAM_UNAVAILABLE')],
        atMinutes: 2,
        labels: ofTenants,
        summary: 'Callers of shop get no tenant-access-token.',
      },
      'the app itself is refused': {
        series: [keys('app-access-token', 'none', 'cooling', 'UPSTREAM_REFUSED')],
        atMinutes: 2,
        labels: ofTheApp,
        summary: 'Callers of shop get no app-access-token.',
      },
      'a custom app is refused': {
        series: [keys('custom-app-tokens', 'none', 'cooling', 'UPSTREAM_REFUSED')],
        atMinutes: 2,
        labels: ofACustomApp,
        summary: 'Callers of shop get no custom-app-tokens.',
      },
    },
    quiet: {
      'not yet for a minute': { series: [keys('tenant-access-token', 'none', 'fetching')], atMinutes: 0.5 },
      'nobody has asked': { series: [keys('tenant-access-token', 'none', 'idle')], atMinutes: 5 },
      'a tenant has switched the app off': {
        series: [keys('tenant-access-token', 'none', 'cooling', 'UPSTREAM_REFUSED')],
        atMinutes: 5,
      },
      'a user has to sign in': { series: [keys('user-access-token', 'none', 'blocked', 'REAUTHORIZATION_REQUIRED')], atMinutes: 5 },
    },
  },
  TokenwellTokenAboutToEnd: {
    fires: {
      'its renewal fails': {
        series: [keys('tenant-access-token', 'due', 'cooling', 'UPSTREAM_UNAVAILABLE'), expiry('tenant-access-token', '240x40')],
        atMinutes: 2,
        labels: ofTenants,
        summary: 'The tenant-access-token of shop ends in less than 5 minutes and is not renewed.',
      },
      'a custom app is refused': {
        series: [keys('custom-app-tokens', 'due', 'cooling', 'UPSTREAM_REFUSED'), expiry('custom-app-tokens', '240x40')],
        atMinutes: 2,
        labels: ofACustomApp,
        summary: 'The custom-app-tokens of shop ends in less than 5 minutes and is not renewed.',
      },
      'with the unit in the name': {
        series: [keys('app-access-token', 'due', 'detached'), expiry('app-access-token', '240x40', '_seconds')],
        atMinutes: 2,
        labels: ofTheApp,
        summary: 'The app-access-token of shop ends in less than 5 minutes and is not renewed.',
      },
    },
    quiet: {
      'it is being renewed': {
        series: [keys('tenant-access-token', 'due', 'fetching'), expiry('tenant-access-token', '240x40')],
        atMinutes: 5,
      },
      'there is time': {
        series: [keys('tenant-access-token', 'due', 'cooling', 'UPSTREAM_UNAVAILABLE'), expiry('tenant-access-token', '900x40')],
        atMinutes: 5,
      },
    },
  },
  TokenwellTicketMissing: {
    fires: {
      'none has come': {
        series: [keys('app-access-token', 'none', 'cooling', 'TICKET_UNAVAILABLE')],
        atMinutes: 3,
        labels: { job: 'shop' },
        summary: 'shop has no app ticket that the platform accepts.',
      },
    },
    quiet: {
      'one comes within a minute': {
        series: [keys('app-access-token', 'none', 'cooling', 'TICKET_UNAVAILABLE', '1 1 _x40')],
        atMinutes: 8,
      },
    },
  },
  TokenwellStoreDetached: {
    fires: {
      'a process goes on alone': {
        series: [keys('tenant-access-token', 'fresh', 'detached')],
        atMinutes: 3,
        labels: { job: 'shop', instance: 'a' },
        summary: 'a of shop goes on without its store.',
      },
      'what was fetched alone waits for the store': {
        series: [of('tokenwell_tokens_unpublished', {}, '2x40')],
        atMinutes: 3,
        labels: { job: 'shop', instance: 'a' },
        summary: 'a of shop goes on without its store.',
      },
    },
    quiet: {
      'all is well': {
        series: [keys('tenant-access-token', 'fresh', 'following'), of('tokenwell_tokens_unpublished', {}, '0x40')],
        atMinutes: 5,
      },
    },
  },
  TokenwellStoreFailing: {
    fires: {
      'one in six': {
        series: [stored('STORE_UNAVAILABLE', '0+2x40'), stored('', '0+10x40')],
        atMinutes: 12,
        labels: { job: 'shop' },
        summary: 'More than a tenth of the store operations of shop fail or time out.',
      },
      'with the unit in the name': {
        series: [stored('STORE_UNAVAILABLE', '0+2x40', '_seconds'), stored('', '0+10x40', '_seconds')],
        atMinutes: 12,
        labels: { job: 'shop' },
        summary: 'More than a tenth of the store operations of shop fail or time out.',
      },
    },
    quiet: {
      'one in eleven': { series: [stored('STORE_UNAVAILABLE', '0+1x40'), stored('', '0+10x40')], atMinutes: 12 },
      'one in six, not yet for five minutes': { series: [stored('STORE_UNAVAILABLE', '0+2x40'), stored('', '0+10x40')], atMinutes: 4.5 },
    },
  },
  TokenwellFetchesFailing: {
    fires: {
      'two in three': {
        series: [fetched('failed', 'UPSTREAM_UNAVAILABLE', '0+2x60'), fetched('fetched', '', '0+1x60')],
        atMinutes: 22,
        labels: ofTenants,
        summary: 'More than half of the fetches of tenant-access-token by shop fail.',
      },
      'a custom app is refused': {
        series: [fetched('failed', 'UPSTREAM_REFUSED', '0+2x60', 'custom-app-tokens')],
        atMinutes: 22,
        labels: ofACustomApp,
        summary: 'More than half of the fetches of custom-app-tokens by shop fail.',
      },
    },
    quiet: {
      'two in three, not yet for ten minutes': {
        series: [fetched('failed', 'UPSTREAM_UNAVAILABLE', '0+2x60'), fetched('fetched', '', '0+1x60')],
        atMinutes: 9,
      },
      'one in three': {
        series: [fetched('failed', 'UPSTREAM_UNAVAILABLE', '0+1x60'), fetched('fetched', '', '0+2x60')],
        atMinutes: 22,
      },
      'tenants that are refused': {
        series: [fetched('failed', 'UPSTREAM_REFUSED', '0+2x60'), fetched('fetched', '', '0+1x60')],
        atMinutes: 22,
      },
    },
  },
  TokenwellBackoffLong: {
    fires: {
      'five minutes': {
        series: [keys('app-access-token', 'due', 'cooling', 'UPSTREAM_REFUSED'), backoff('app-access-token', '300x40')],
        atMinutes: 2,
        labels: ofTheApp,
        summary: 'shop waits 5m 0s before it fetches app-access-token again.',
      },
      'a custom app is refused': {
        series: [keys('custom-app-tokens', 'none', 'cooling', 'UPSTREAM_REFUSED'), backoff('custom-app-tokens', '300x40')],
        atMinutes: 2,
        labels: ofACustomApp,
        summary: 'shop waits 5m 0s before it fetches custom-app-tokens again.',
      },
    },
    quiet: {
      'half a minute': {
        series: [keys('app-access-token', 'due', 'cooling', 'UPSTREAM_UNAVAILABLE'), backoff('app-access-token', '30x40')],
        atMinutes: 5,
      },
      'of a tenant that is refused': {
        series: [keys('tenant-access-token', 'due', 'cooling', 'UPSTREAM_REFUSED'), backoff('tenant-access-token', '300x40')],
        atMinutes: 5,
      },
    },
  },
  TokenwellTenantsRefused: {
    fires: {
      'one in four': {
        series: [
          keys('tenant-access-token', 'none', 'cooling', 'UPSTREAM_REFUSED', '25x60'),
          keys('tenant-access-token', 'fresh', 'following', '', '75x60'),
        ],
        atMinutes: 12,
        labels: ofTenants,
        summary: 'The platform refuses 25% of the tenants of shop a token.',
      },
    },
    quiet: {
      'not yet for ten minutes': {
        series: [
          keys('tenant-access-token', 'none', 'cooling', 'UPSTREAM_REFUSED', '25x60'),
          keys('tenant-access-token', 'fresh', 'following', '', '75x60'),
        ],
        atMinutes: 9,
      },
      'one in ten': {
        series: [
          keys('tenant-access-token', 'none', 'cooling', 'UPSTREAM_REFUSED', '10x60'),
          keys('tenant-access-token', 'fresh', 'following', '', '90x60'),
        ],
        atMinutes: 12,
      },
    },
  },
  TokenwellCallersWait: {
    fires: {
      'a tenth of them longer than 5 s': {
        series: waits('0+9x60', '0+10x60'),
        atMinutes: 22,
        labels: { job: 'shop' },
        summary: 'Callers of shop wait more than 5 s for a token.',
      },
    },
    quiet: {
      'all of them less': { series: waits('0+10x60', '0+10x60'), atMinutes: 22 },
      'next to nobody waits': { series: waits('0x20 1x40', '0x20 2x40'), atMinutes: 22 },
    },
  },
  TokenwellEventsRefused: {
    fires: {
      'the first six ever': {
        series: [refusedEvents('_x4 6x40')],
        atMinutes: 5,
        labels: { job: 'shop', http_response_status_code: '401' },
        summary: 'shop has refused 6 pushed events within 15 minutes with status 401.',
      },
      'seven more': {
        series: [refusedEvents('2x40 9x10')],
        atMinutes: 22,
        labels: { job: 'shop', http_response_status_code: '401' },
        summary: 'shop has refused 7 pushed events within 15 minutes with status 401.',
      },
    },
    quiet: {
      five: { series: [refusedEvents('_x4 5x40')], atMinutes: 5 },
      'six, longer ago': { series: [refusedEvents('6x60')], atMinutes: 20 },
    },
  },
  TokenwellTicketFromTheFuture: {
    fires: {
      'the first': {
        series: [tickets('refused', '_x4 1x40')],
        atMinutes: 5,
        labels: { job: 'shop' },
        summary: 'shop has refused an app ticket whose time is more than 10 minutes ahead.',
      },
    },
    quiet: {
      'others are accepted': { series: [tickets('accepted', '_x4 1x40')], atMinutes: 5 },
      'an hour ago': { series: [tickets('refused', '1x200')], atMinutes: 65 },
    },
  },
  TokenwellRecordUnreadable: {
    fires: {
      'the first': {
        series: [unreadable('_x4 1x40')],
        atMinutes: 5,
        labels: { job: 'shop', instance: 'a' },
        summary: 'a of shop cannot open what the store has.',
      },
    },
    quiet: { 'longer ago': { series: [unreadable('1x60')], atMinutes: 20 } },
  },
}

test('each alert has a time at which it fires, and one at which it does not', () => {
  expect(Object.keys(cases)).toEqual([...rules.keys()])
  for (const { fires, quiet } of Object.values(cases)) {
    expect(Object.keys(fires)).not.toEqual([])
    expect(Object.keys(quiet)).not.toEqual([])
  }
})

test('Prometheus fires each alert when it should, says of whom, and is quiet when it should be', { timeout: 300_000 }, async () => {
  await testRules(
    path,
    Object.entries(cases).flatMap(([alert, { fires, quiet }]) => [...firing(alert, fires), ...silent(alert, quiet)]),
  )
})

test('an alert that does not fire is found', { timeout: 300_000 }, async () => {
  const [fires] = firing('TokenwellNoToken', cases.TokenwellNoToken?.fires ?? {})
  if (fires === undefined) throw new Error('no case to spoil')
  const tooEarly = { ...fires, atMinutes: 0.5 }
  await expect(testRules(path, [tooEarly])).rejects.toThrow(/alertname: TokenwellNoToken/)
})

function firing(alert: string, fires: Readonly<Record<string, Fires>>): AlertCase[] {
  const rule = rules.get(alert)
  return Object.entries(fires).map(([name, { series, atMinutes, labels, summary }]) => ({
    name: `${alert}: ${name}`,
    alert,
    series,
    atMinutes,
    fires: [{ labels: { ...rule?.labels, ...labels }, annotations: { ...rule?.annotations, summary } }],
  }))
}

function silent(alert: string, quiet: Readonly<Record<string, Quiet>>): AlertCase[] {
  return Object.entries(quiet).map(([name, { series, atMinutes }]) => ({ name: `${alert}: ${name}`, alert, series, atMinutes, fires: [] }))
}
