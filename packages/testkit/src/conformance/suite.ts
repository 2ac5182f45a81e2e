import type { TokenStore } from '@tokenwell/core'
import type { Cases } from './cases.ts'
import { claimCases } from './claim.ts'
import { clockStepCases } from './clock-step.ts'
import { concurrencyCases } from './concurrency.ts'
import { durableCases } from './durable.ts'
import { fenceCases } from './fence.ts'
import { invalidateCases } from './invalidate.ts'
import { publishCases } from './publish.ts'
import { readCases } from './read.ts'
import { repeatCases } from './repeat.ts'
import { settleCases } from './settle.ts'
import { storeCases } from './store.ts'
import { type OpenStores, type StoreClock, Subject } from './subject.ts'
import { noPushCases, subscribeCases } from './subscribe.ts'
import { takeoverCases } from './takeover.ts'
import { keyCases, valueCases } from './text.ts'

export interface ConformanceOptions {
  /** Registers one test with any runner. Each test opens its own stores and closes them again. */
  readonly test: (name: string, run: () => Promise<void>) => void
  /** What the store says of itself; decides which tests are registered, and is itself tested. */
  readonly capabilities: TokenStore['capabilities']
  /** Opens stores over empty records. */
  readonly factory: () => OpenStores | Promise<OpenStores>
  readonly clock: StoreClock
}

export interface NotRun {
  readonly name: string
  readonly why: string
}

export interface Conformance {
  /** Names of the tests that were registered. */
  readonly names: readonly string[]
  /** What could not be tested with the options given, and why. Show it: a contract that is tested in part is not proven. */
  readonly notRun: readonly NotRun[]
}

/**
 * Registers the tests that prove a {@link TokenStore}: one for each sentence of the contract, named by that sentence. What a store has
 * no capability for is tested to be absent.
 */
export function describeTokenStore({ test, capabilities, factory, clock }: ConformanceOptions): Conformance {
  const groups = groupsFor(capabilities, clock)
  const names: string[] = []
  for (const [group, cases] of Object.entries(groups)) {
    for (const [sentence, run] of Object.entries(cases)) {
      const name = `${group}: ${sentence}`
      names.push(name)
      test(name, async () => {
        const open = await factory()
        try {
          await run(new Subject(open, clock))
        } finally {
          await open.close()
        }
      })
    }
  }
  return { names, notRun: clock.stepBack ? [] : notRun('clock set back', clockStepCases, 'the clock given has no stepBack') }
}

function notRun(group: string, cases: Cases, why: string): NotRun[] {
  return Object.keys(cases).map((sentence) => ({ name: `${group}: ${sentence}`, why }))
}

/** The tests for a store that can do this, where its clock can be set like that. */
export function groupsFor(capabilities: TokenStore['capabilities'], clock: StoreClock): Readonly<Record<string, Cases>> {
  return {
    store: storeCases(capabilities),
    read: readCases,
    claim: claimCases,
    takeover: takeoverCases,
    fence: fenceCases,
    publish: publishCases,
    'publish again': repeatCases,
    settle: settleCases,
    invalidate: invalidateCases,
    concurrency: concurrencyCases,
    key: keyCases,
    value: valueCases,
    subscribe: capabilities.push ? subscribeCases : noPushCases,
    ...(capabilities.durable && { durable: durableCases }),
    ...(clock.stepBack && { 'clock set back': clockStepCases }),
  }
}
