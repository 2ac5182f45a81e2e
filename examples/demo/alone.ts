/**
 * The main job on one machine: a ticket is pushed, a token minted, thousands of callers share it, time runs through two rotations.
 * Every figure in the table is counted by the simulated platform, or by the callers themselves; the client is not asked.
 */
import { randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createTokenManager } from '@tokenwell/core'
import { createFeishuTokens, createNodeEventHandler } from '@tokenwell/core/feishu'
import { startFeishuSimulator } from '@tokenwell/feishu-simulator'
import { memoryStore } from '@tokenwell/store-memory'
import { virtualClock } from '@tokenwell/testkit'
import { Callers } from './callers.ts'
import { type Expected, Report } from './report.ts'
import { count } from './table.ts'

const CALLERS = 5_000
const SECOND = 1_000
/** An upstream that takes its time: a fetch that callers had to wait for would show. */
const UPSTREAM_MS = 2 * SECOND
/** A token that is due lives on for 19 minutes at least, of which callers wait in the last. */
const OUTAGE_MINUTES = 15
/** Its waits grow to a minute, less what chance takes off. */
const OUTAGE_REQUESTS = 4 * OUTAGE_MINUTES

/** One process over the memory store, in virtual time. */
export async function runAlone(): Promise<Report> {
  const appId = 'cli_demo'
  const [appSecret, verificationToken, encryptKey] = [1, 2, 3].map(() => randomBytes(16).toString('hex')) as [string, string, string]
  const clock = virtualClock()

  const platform = await startFeishuSimulator({ apps: [{ appId, appSecret, verificationToken, encryptKey }], clock })
  const manager = createTokenManager({ store: memoryStore({ clock }), clock })
  const tokens = createFeishuTokens({ appId, appSecret, manager, domain: platform.url, events: { verificationToken, encryptKey } })
  const server = createServer(createNodeEventHandler(tokens))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  platform.setEventUrl(appId, `http://127.0.0.1:${(server.address() as AddressInfo).port}/feishu/events`)

  const callers = new Callers({ tokens, platform, clock })
  const report = new Report()

  async function stage(name: string, expected: Expected, run: () => Promise<void>): Promise<void> {
    const before = platform.counters()
    callers.reset()
    await run()
    const after = platform.counters()
    const requests = after.requests.app_access_token - before.requests.app_access_token
    const { count, blocked, slowestMs, wrong } = callers
    report.add(name, { callers: count, requests, blocked, slowestMs, wrong }, expected)
  }

  const state = () => tokens.status()[0]?.state

  /** Moves virtual time; where a request is under way it travels in real time, and virtual time waits for it. */
  async function pass(ms: number, each: number): Promise<void> {
    await clock.advance(ms)
    do await callers.call(each)
    while (state() === 'fetching' || state() === 'publishing')
  }

  /** Runs on until the token is renewed, by a platform that takes its time. */
  async function throughRotation(): Promise<void> {
    const fault = platform.fault('app_access_token', { kind: 'delay', ms: UPSTREAM_MS })
    const held = platform.next('held')
    while (state() === 'idle') {
      await clock.advance(SECOND)
      await callers.call(10)
    }
    await held
    for (let part = 0; part < 10; part += 1) {
      await clock.advance(UPSTREAM_MS / 10)
      await callers.call(1_000)
    }
    await pass(0, 10)
    fault.release()
  }

  /** Runs on until the token is due, and then through a quarter of an hour in which the platform answers 503. */
  async function throughOutage(): Promise<void> {
    platform.fault('app_access_token', { kind: 'status', status: 503 }, { times: Number.POSITIVE_INFINITY })
    while (state() === 'idle') await pass(SECOND, 10)
    for (let seconds = 0; seconds < OUTAGE_MINUTES * 60; seconds += 1) await pass(SECOND, 10)
    platform.clearFaults()
  }

  console.log(`\nTokenwell: one app, one store (in memory), one simulated platform at ${platform.url}\n`)
  const pushed = await platform.pushTicket(appId)
  console.log(`The platform pushed an app_ticket, encrypted and signed, to the callback URL: ${pushed.status}.`)

  await stage(`cold: ${count(CALLERS)} callers at once`, { requests: 1, mayBlock: true }, () => callers.call(CALLERS))
  await stage(`warm: ${count(CALLERS)} more`, { requests: 0 }, () => callers.call(CALLERS))
  await stage('first rotation, platform takes 2 s', { requests: 1 }, throughRotation)
  await stage('second rotation', { requests: 1 }, throughRotation)
  await stage(`platform down for ${OUTAGE_MINUTES} min while due`, { requests: { atMost: OUTAGE_REQUESTS } }, throughOutage)

  console.log(`${report}`)
  console.log(`"Blocked" callers did not have their token after one turn of the event loop. "Valid" is what the platform says of each token.
${count(CALLERS)} callers without Tokenwell would have made ${count(CALLERS)} token requests.
`)

  await tokens.close()
  await manager.close()
  server.close()
  server.closeAllConnections()
  await platform.close()
  return report
}
