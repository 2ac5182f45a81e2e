import type { TokenHandle, TokenManager } from '@tokenwell/core'
import type { Draws } from './random.ts'
import type { SentRequest } from './request-log.ts'
import type { Wire } from './wire.ts'

/** What a token is worth at the upstream at this moment. */
export type Worth = 'valid' | 'revoked' | 'ended' | 'unknown'

/** A credential that the callers of a process ask for. */
export interface PlayedCredential {
  /** The same in every process. */
  readonly name: string
  readonly handle: TokenHandle
  worth(value: string): Worth
  /** A caller was told that there is none. */
  readonly failed?: (error: unknown) => void
}

/** One process of a world, as a scenario sets it up. */
export interface PlayedProcess {
  /** From 0. */
  readonly index: number
  readonly manager: TokenManager
  /** The way to the upstream, and back. */
  readonly wire: Wire
  /** Whether it still is: neither killed nor being closed. */
  readonly isUp: () => boolean
}

/** The world around a scenario. */
export interface Surroundings {
  /** True time in milliseconds, from the beginning of the world. */
  readonly now: () => number
  /** When the world begins, milliseconds since the Unix epoch. */
  readonly epochMs: number
  /** Runs something later, in true time. */
  readonly at: (moment: number, run: () => void) => void
  /** Draws for one purpose. */
  readonly draws: (name: string) => Draws
  /** Counts that an ordered fault has struck a request. */
  readonly struck: (fault: string) => void
  readonly note: (line: string) => void
  /** Says that something is which must not be. */
  readonly violate: (what: string) => void
  /** Reports what becomes of the store from now on. */
  readonly watchStore: (watcher: StoreWatcher) => void
}

export interface StoreWatcher {
  /** A value has replaced another. */
  published?(key: string, value: string): void
  /** What it had acknowledged may be gone. */
  lost?(): void
}

/** Several scenarios in one world, all troubled by the same. */
export function together(...scenarios: readonly Scenario[]): Scenario {
  return {
    faults: [...new Set(scenarios.flatMap(({ faults }) => faults))],
    begin(surroundings) {
      const begun = scenarios.map((scenario) => ({ ...scenario.begin(surroundings), faults: scenario.faults }))
      return {
        start: (process) => begun.flatMap(({ start }) => start(process)),
        trouble(fault) {
          const ends = begun.flatMap(({ faults, trouble }) => (faults.includes(fault) ? [trouble(fault)] : []))
          return () => {
            for (const end of ends) end()
          }
        },
        get requests() {
          return begun.flatMap(({ requests }) => requests)
        },
      }
    },
  }
}

/** What is asked of an upstream, and by what it can be troubled. */
export interface Scenario {
  readonly faults: readonly string[]
  begin(surroundings: Surroundings): {
    /** A process has begun: what it makes of its manager. */
    start(process: PlayedProcess): readonly PlayedCredential[]
    /** A fault begins; the function ends it. */
    trouble(fault: string): () => void
    /** Requests for credentials, in the order in which they were sent. */
    readonly requests: readonly SentRequest[]
  }
}
