/**
 * The main job with real processes: a ticket is pushed to one of them, one of them mints, all serve; one is killed, one is started anew.
 * Requests and validity are counted by the simulated platform; who did what is taken from what every process told while it did it.
 */
import { setTimeout as passed } from 'node:timers/promises'
import { type CallReport, type Fleet, machineNow, startFleet, violations } from '@tokenwell/fleet'
import { type Handover, handoverIn, publicationIn } from './handover.ts'
import { type Expected, Report } from './report.ts'
import type { DemoStore } from './stores.ts'
import { count, duration, table } from './table.ts'

const PROCESSES = 4
const CALLERS = 2_000
/** How long the platform takes, milliseconds: a request that callers had to wait for would show. */
const COLD_UPSTREAM_MS = 300
const UPSTREAM_MS = 2_000
/** While tokens rotate: so many callers in every process, so often. */
const LOAD = { callers: 20, everyMs: 10 }

const WITHOUT_PUSH = `This store announces nothing: who waits for a token looks for it several times a second, who still has a good one looks when the
lease of the process that asked is over.
`

/** @param interrupted rejects when the demo is to end at once */
export async function runFleet({ name, push, records }: DemoStore, interrupted: Promise<never>): Promise<Report> {
  const fleet = await startFleet({ nodes: PROCESSES, store: () => records.address, passInStore: records.passInStore })
  try {
    console.log(`\nTokenwell: one app, ${PROCESSES} processes, one store (${name}), one simulated platform at ${fleet.platform.url}\n`)
    const demo = new FleetDemo(fleet, push)
    await Promise.race([demo.run(), interrupted])
    return demo.report
  } finally {
    await fleet.kill()
  }
}

class FleetDemo {
  readonly report = new Report()
  readonly #fleet: Fleet
  readonly #push: boolean
  readonly #handovers: string[][] = []

  constructor(fleet: Fleet, push: boolean) {
    this.#fleet = fleet
    this.#push = push
  }

  async run(): Promise<void> {
    await this.#pushTicket()
    const each = `${PROCESSES} × ${count(CALLERS)}`
    await this.#stage(`cold: ${each} callers at once`, { requests: 1, mayBlock: true }, () => this.#cold())
    await this.#stage(`warm: ${each} more`, { requests: 0 }, () => this.#fleet.burst(CALLERS))
    await this.#stage(`rotation, platform takes ${UPSTREAM_MS / 1_000} s`, { requests: 1 }, () => this.#rotation())
    const killed = await this.#killing()
    const started = await this.#restart()
    this.#tell()
    console.log(`${killed}\n${started}\n`)
    await this.#close()
  }

  async #pushTicket(): Promise<void> {
    const [first] = this.#fleet.nodes
    if (first === undefined) throw new Error('no process runs')
    const { status } = await this.#fleet.pushTicket(first)
    if (status !== 200) throw new Error(`${first.name} answered the push of an app_ticket with ${status}: the store does not take it in`)
    console.log(`The platform pushed an app_ticket, encrypted and signed, to ${first.name} alone: ${status}.`)
  }

  /** Notes what came of one stage, and who fetched in it. */
  async #stage(name: string, expected: Expected, run: () => Promise<readonly CallReport[]>): Promise<void> {
    const fleet = this.#fleet
    const before = { requests: fleet.requests, entries: fleet.history.length }
    const reports = await run()
    const wrong = reports.map(({ served, errors }) => {
      const refused = Object.entries(served).filter(([token]) => fleet.platform.judge(token) !== 'valid')
      return sum([...refused.map(([, callers]) => callers), ...Object.values(errors)])
    })
    const outcome = {
      callers: sum(reports.map(({ callers }) => callers)),
      requests: fleet.requests - before.requests,
      blocked: sum(reports.map(({ blocked }) => blocked)),
      slowestMs: Math.max(...reports.map(({ longestMs }) => longestMs)),
      wrong: sum(wrong),
    }
    this.report.add(name, outcome, expected)
    const handover = handoverIn(fleet.history.slice(before.entries))
    if (handover === undefined) return
    const late = fleet.nodes
      .map(({ name }) => name)
      .filter((node) => node !== handover.by && handover.others.every((other) => other.node !== node))
    this.#handovers.push(rowOf(name, handover, late))
  }

  async #cold(): Promise<CallReport[]> {
    // The holder's own callers are served before it has published.
    const published = this.#nextPublication()
    const [reports] = await Promise.all([this.#fleet.burst(CALLERS), this.#answerAfter(COLD_UPSTREAM_MS), published])
    return reports
  }

  async #rotation(): Promise<CallReport[]> {
    const { callers, everyMs } = LOAD
    await this.#fleet.startLoad(callers, everyMs)
    const next = this.#highest() + 1
    await Promise.all([this.#answerAfter(UPSTREAM_MS), this.#fleet.passToRenewal()])
    await this.#fleet.served(next)
    return this.#fleet.endLoad()
  }

  /** Kills the process that is to fetch, when it is about to send its request. */
  async #killing(): Promise<string> {
    const fleet = this.#fleet
    const { callers, everyMs } = LOAD
    let told = ''
    await this.#stage('rotation, the process that asks is killed', { requests: 1 }, async () => {
      await fleet.startLoad(callers, everyMs)
      const next = this.#highest() + 1
      const [holder] = await Promise.all([fleet.holdFirst('requesting'), fleet.passToRenewal()])
      fleet.mark('fault')
      const killedAt = machineNow()
      const from = fleet.history.length
      await holder.kill()
      // Without push the others may look only after the successor's lease, which takes as long again.
      await (this.#push ? fleet.served(next) : this.#nextPublication())
      const published = publicationIn(fleet.history.slice(from))
      const recovery = duration((published?.at ?? Number.NaN) - killedAt)
      told = `${holder.name} was killed (-9) with the lease in its hands, about to ask. When that lease had ended ${published?.node} took over; its token
was published ${recovery} after the kill. Meanwhile the others served the old one. Callers that died with it are not counted.`
      return fleet.endLoad()
    })
    return told
  }

  /** Another process in place of the one that was killed. */
  async #restart(): Promise<string> {
    const node = await this.#fleet.add()
    await this.#stage('a process started anew', { requests: 0, mayBlock: true }, () => this.#fleet.burst(CALLERS, [node]))
    return `${node.name} was started in its place, and got ticket and token from the store.`
  }

  /** The platform is asked, and answers so many milliseconds later. */
  async #answerAfter(ms: number): Promise<void> {
    const { platform } = this.#fleet
    const held = platform.next('held')
    const fault = platform.fault('app_access_token', { kind: 'hang' })
    await held
    await passed(ms)
    fault.release()
  }

  async #nextPublication(): Promise<void> {
    const from = this.#fleet.history.length
    await this.#fleet.when('a token was published', (history) => publicationIn(history.slice(from)) !== undefined)
  }

  /** The newest version that anybody was served. */
  #highest(): number {
    return Math.max(0, ...this.#fleet.history.map((entry) => (entry.kind === 'served' ? entry.version : 0)))
  }

  #tell(): void {
    console.log(`${this.report}`)
    console.log('Who asked the platform, and when the others had the token, counted from its publication:')
    console.log(table(['what', 'asked by', 'answered in', 'the others'], this.#handovers, 4))
    if (!this.#push) console.log(WITHOUT_PUSH)
  }

  /** Closes the fleet, and looks for what must not be in what it did. */
  async #close(): Promise<void> {
    const fleet = this.#fleet
    for (const code of await fleet.close()) if (code !== 0) this.report.fault(`a process ended with ${code}\n${fleet.output}`)
    for (const violation of violations(fleet.history)) this.report.fault(violation)
    const calls = fleet.history.filter(({ kind }) => kind === 'store').length
    console.log(`"Blocked" callers did not have their token after one turn of the event loop. "Valid" is what the platform says of each token.
For each rotation time was moved on by 105 minutes, for processes, platform and store alike.
All ${count(calls)} calls of the store, by all processes, were held against the protocol's invariants.
`)
  }
}

/** @param late who did not have the token when the stage was over */
function rowOf(name: string, { by, requestMs, others }: Handover, late: readonly string[]): string[] {
  const had = others.map(({ node, afterMs }) => `${node} ${duration(afterMs)}`)
  return [name, by, duration(requestMs), [...had, ...late.map((node) => `${node} later`)].join(' · ')]
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0)
}
