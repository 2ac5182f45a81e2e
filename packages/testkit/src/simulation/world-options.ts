import { lastMomentOf } from './plan.ts'
import type { SimulationOptions } from './simulate.ts'
import { HOLDER_FAULTS, PROCESS_FAULTS, STORE_FAULTS, type Trouble, WIRE_FAULTS } from './trouble.ts'

const OPTIONS = ['seed', 'store', 'scenario', 'nodes', 'hours', 'troubles', 'plan']
const PARTS = ['at', 'forMs', 'on', 'kind', 'byMs', 'node', 'to', 'probability']
const MOST_NODES = 100
const MOST_HOURS = 1_000
const MOST_TROUBLES = 100_000

/** A world that is not what it was meant to be proves nothing. @throws TypeError that names what is wrong, what it takes and what it got */
export function checkOptions(options: SimulationOptions): void {
  const { seed, store, scenario, nodes = 5, hours = 6, troubles = 20, plan } = options
  for (const name of Object.keys(options)) {
    if (!OPTIONS.includes(name)) throw new TypeError(`simulate: there is no option "${name}"; it takes ${OPTIONS.join(', ')}`)
  }
  expectThat(Number.isSafeInteger(seed), 'seed', 'a safe integer', seed)
  expectThat(typeof store === 'function', 'store', 'a function that opens a store on a clock', store)
  const isScenario = typeof scenario?.begin === 'function' && Array.isArray(scenario.faults)
  expectThat(isScenario, 'scenario', 'an object with faults and begin()', scenario)
  expectWhole('nodes', nodes, 1, MOST_NODES)
  expectThat(isWithin(hours, 1, MOST_HOURS), 'hours', `a number from 1 to ${MOST_HOURS}`, hours)
  expectWhole('troubles', troubles, 0, MOST_TROUBLES)
  if (plan === undefined) return
  expectThat(Array.isArray(plan), 'plan', 'an array', plan)
  for (const [index, trouble] of plan.entries()) {
    checkTrouble(`plan[${index}]`, trouble, { nodes, last: lastMomentOf(hours), upstream: scenario.faults })
  }
}

interface Limits {
  readonly nodes: number
  /** Until when something may be wrong, milliseconds. */
  readonly last: number
  readonly upstream: readonly string[]
}

function checkTrouble(name: string, trouble: Trouble, { nodes, last, upstream }: Limits): void {
  expectThat(typeof trouble === 'object' && trouble !== null, name, 'an object', trouble)
  const kinds: Readonly<Record<Trouble['on'], readonly string[]>> = {
    wire: WIRE_FAULTS,
    process: PROCESS_FAULTS,
    holder: HOLDER_FAULTS,
    store: STORE_FAULTS,
    upstream,
  }
  const { on, kind, at, forMs } = trouble
  expectThat(Object.hasOwn(kinds, on), `${name}.on`, `one of ${Object.keys(kinds).join(', ')}`, on)
  expectThat(kinds[on].includes(kind), `${name}.kind`, `one of ${kinds[on].join(', ')}`, kind)
  expectThat(isWithin(at, 0, last), `${name}.at`, `milliseconds from 0 to ${last}, as the rest is quiet`, at)
  expectThat(isWithin(forMs, 0, last - at), `${name}.forMs`, `milliseconds from 0 to ${last - at}, as the rest is quiet`, forMs)
  if ('node' in trouble && trouble.node !== undefined) expectWhole(`${name}.node`, trouble.node, 0, nodes - 1)
  for (const key of Object.keys(trouble)) {
    if (!PARTS.includes(key)) throw new TypeError(`${name}: there is no "${key}"; it takes ${PARTS.join(', ')}`)
  }
  if (on === 'process') expectThat(Number.isFinite(trouble.byMs), `${name}.byMs`, 'a finite number of milliseconds', trouble.byMs)
  if (on === 'store' || on === 'holder') {
    const most = kind === 'rollback' ? at : Number.MAX_SAFE_INTEGER
    expectThat(isWithin(trouble.byMs, 0, most), `${name}.byMs`, `milliseconds from 0 to ${most}`, trouble.byMs)
  }
  if (on === 'wire') {
    expectThat(trouble.to === 'store' || trouble.to === 'upstream', `${name}.to`, '"store" or "upstream"', trouble.to)
  }
  if (on === 'wire' || on === 'holder') {
    const { probability } = trouble
    expectThat(isWithin(probability, 0, 1), `${name}.probability`, 'a number from 0 to 1', probability)
  }
}

function expectWhole(name: string, value: number, min: number, max: number): void {
  expectThat(Number.isInteger(value) && isWithin(value, min, max), name, `a whole number from ${min} to ${max}`, value)
}

function isWithin(value: number, min: number, max: number): boolean {
  return Number.isFinite(value) && value >= min && value <= max
}

function expectThat(isSo: boolean, name: string, expected: string, got: unknown): void {
  if (isSo) return
  const shown = typeof got === 'string' ? JSON.stringify(got) : typeof got === 'number' || got === null ? String(got) : typeof got
  throw new TypeError(`${name}: expected ${expected}, got ${shown}`)
}
