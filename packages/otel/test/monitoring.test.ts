import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { parser } from '@prometheus-io/lezer-promql'
import { type EndNotice, type KeyStatus, systemClock, type TokenErrorCode } from '@tokenwell/core'
import { memoryStore } from '@tokenwell/store-memory'
import { flaky } from '@tokenwell/testkit'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { errorOf, secret } from '../../../tools/leak-search/index.ts'
import { startApp, until } from './support/app.ts'

interface Query {
  /** Where it stands. */
  readonly of: string
  readonly text: string
}

interface Dashboard {
  readonly panels: readonly { readonly title: string; readonly targets: readonly { readonly expr: string }[] }[]
}

interface Rules {
  readonly groups: readonly { readonly rules: readonly { readonly alert: string; readonly expr: string }[] }[]
}

const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8')

const { panels } = JSON.parse(read('../grafana/dashboard.json')) as Dashboard
const { groups } = parse(read('../prometheus/alerts.yaml')) as Rules

const queries: readonly Query[] = [
  ...panels.flatMap(({ title, targets }) => targets.map(({ expr }) => ({ of: title, text: expr.replaceAll('$__rate_interval', '5m') }))),
  ...groups.flatMap(({ rules }) => rules.map(({ alert, expr }) => ({ of: alert, text: expr }))),
]

const states: Record<KeyStatus['state'], true> = {
  idle: true,
  claiming: true,
  fetching: true,
  rereading: true,
  publishing: true,
  subscribing: true,
  following: true,
  cooling: true,
  blocked: true,
  detached: true,
  closed: true,
}
const fetchOutcomes: Record<Extract<EndNotice, { readonly type: 'fetch-ended' }>['outcome'], true> = {
  fetched: true,
  failed: true,
  unspent: true,
  blocked: true,
}
const ticketOutcomes = ['accepted', 'ignored', 'refused', 'rejected', 'requested']

/** What a label can say: an alert that asks for anything else never fires. */
const VALUES: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  ['tokenwell_state', new Set(Object.keys(states))],
  ['tokenwell_token', new Set(['none', 'fresh', 'due'])],
  ['tokenwell_serving', new Set(['true', 'false'])],
  [
    'tokenwell_outcome',
    new Set([...Object.keys(fetchOutcomes), ...ticketOutcomes, 'superseded', 'takeover', 'granted', 'held', 'vouched']),
  ],
  [
    'tokenwell_credential',
    new Set(['app-ticket', 'app-access-token', 'tenant-access-token', 'custom-app-tokens', 'jsapi-ticket', 'user-access-token', 'other']),
  ],
  ['error_type', new Set(['', 'UPSTREAM_REFUSED', 'TICKET_UNAVAILABLE', 'TICKET_REJECTED'] satisfies (TokenErrorCode | '')[])],
])

/** How the series are called that a query takes, the labels in it, and the values it asks for that no label has. */
function readQuery({ of, text }: Query) {
  const names: RegExp[] = []
  const labels: string[] = []
  const unheardOf: string[] = []
  parser.parse(text).iterate({
    enter({ type, from, to }) {
      if (type.isError) throw new Error(`${of}: not PromQL at ${from}: ${text}`)
      const here = text.slice(from, to)
      if (type.name === 'VectorSelector') {
        const name = /^\w+/.exec(here)?.[0] ?? /__name__=~"([^"]+)"/.exec(here)?.[1]
        if (name === undefined) throw new Error(`${of}: takes series of any name: ${here}`)
        names.push(new RegExp(`^${name}$`))
      }
      if (type.name === 'LabelName' && here !== '__name__') labels.push(here)
      const [, label = '', value = ''] = (type.name.endsWith('LabelMatcher') && /^(\w+)\s*[!=]=?~?\s*"([^"]*)"/.exec(here)) || []
      const known = VALUES.get(label)
      if (known !== undefined) unheardOf.push(...value.split('|').filter((each) => !known.has(each)))
      else if (type.name.endsWith('LabelMatcher') && !/^(__name__|job|instance)\b/.test(here)) unheardOf.push(here)
    },
  })
  return { names, labels, unheardOf }
}

/** What dashboard and alerts are about has all happened, to two processes, a third without their key, and a store with faults to order. */
async function eventfulScrape() {
  const store = flaky(memoryStore(), systemClock)
  const app = await startApp(store)
  const sealed = () => {
    const encryption = { keys: { own: secret(randomBytes(32).toString('base64'), 'encryption key') }, sealWith: 'own' }
    return { manager: { encryption } }
  }
  const fleet = sealed()
  const [one, other, stranger] = [await app.process(fleet), await app.process(fleet), await app.process(sealed())]
  await app.giveTicket(one)
  await one.tokens.tenantAccessToken('tenant')
  await other.tokens.appAccessToken()
  const token = await one.tokens.app.get()
  app.simulator.revoke(app.appId, { next: 'new' })
  await one.tokens.app.reject(token)
  await one.tokens.app.get()
  await one.tokens.receiveEvent({ headers: {}, body: '{}' })
  app.simulator.fault('tenant_access_token', { kind: 'code', code: 10014 })
  await errorOf(one.tokens.tenantAccessToken('another'))
  await until(async () => (await one.scrape()).sum('publications_total') === 3)

  await errorOf(stranger.tokens.app.get({ timeoutMs: 200 }))
  await until(async () => (await stranger.scrape()).sum('ticket_events_total', { outcome: 'requested' }) === 1)
  store.always('all', { kind: 'throw' })
  await one.tokens.app.reject(await one.tokens.app.get())
  await one.tokens.app.get()
  await until(async () => (await one.scrape()).sum('detachments_total') !== undefined)
  store.restore()
  return [await one.scrape(), await other.scrape(), await stranger.scrape()]
}

test('every query of the dashboard and of the alerts is PromQL, and takes series and labels that a scrape has', async () => {
  const samples = (await eventfulScrape()).flatMap((scrape) => scrape.samples)
  expect(queries.length).toBeGreaterThan(30)
  for (const query of queries) {
    const { names, labels, unheardOf } = readQuery(query)
    expect(names, query.of).not.toEqual([])
    const series = names.map((name) => samples.filter((sample) => name.test(sample.name)))
    const known = new Set(['job', 'instance', ...series.flat().flatMap((sample) => Object.keys(sample.labels))])
    const missing = names.filter((_, at) => series[at]?.length === 0)
    const unknown = labels.filter((label) => !known.has(label))
    expect({ ...query, missing, unknown, unheardOf }).toEqual({ ...query, missing: [], unknown: [], unheardOf: [] })
  }
})

test('a value that no label has is found', () => {
  const query = (text: string) => readQuery({ of: 'a query', text }).unheardOf
  expect(query('tokenwell_keys{tokenwell_state=~"cooling|coolign", job="a"}')).toEqual(['coolign'])
  expect(query('tokenwell_ticket_events_total{tokenwell_outcome="refusedd"}')).toEqual(['refusedd'])
  expect(query('tokenwell_keys{tokenwell_stat!="idle"}')).toEqual(['tokenwell_stat!="idle"'])
})
