import type { Policy, PublishRequest, TokenErrorCode, TokenHandle, TokenManager } from '@tokenwell/core'
import type { Draws } from './random.ts'
import type { UpstreamRequest } from './request-audit.ts'
import type { Wire } from './wire.ts'

/** What a token is worth at the upstream at this moment. */
export type Worth = 'valid' | 'revoked' | 'ended' | 'unknown'

/** What an upstream knows of a token that it gave out. Moments are true time, milliseconds. */
export interface GivenOut {
  readonly endsAt: number
  /** When it was last given out. */
  readonly at: number
  /** When it first was. Default: when it last was. */
  readonly firstAt?: number
  /** How often. */
  readonly times: number
}

/** A credential that the callers of a process ask for. */
export interface PlayedCredential {
  /** The same in every process. */
  readonly name: string
  readonly handle: TokenHandle
  worth(value: string): Worth
  /** Without it, neither the ends that processes believe in nor what becomes of callers' reports is checked. */
  givenOut?(value: string): GivenOut | undefined
  /** The policy that its handle was given: what callers ask for, and how long they and the fleet may wait, goes by it. Default: core's */
  readonly policy?: Partial<Policy>
  /**
   * A life of so much is always to be had while nothing is wrong, milliseconds from 0: less than the policy's floor where the upstream's tokens do not live
   * for two of its windows. Default: the policy's floor
   */
  readonly alwaysMs?: number
  /** Whether callers may be told so although nothing is wrong: there is none until somebody does something. Default: they may not. */
  readonly isOut?: (code: TokenErrorCode) => boolean
  /** Each fetch uses up a secret that the last one brought. Default false. */
  readonly rotates?: boolean
  /** A caller was given this value. */
  readonly given?: (value: string) => void
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
  /** When it last stood still, true time in milliseconds. */
  readonly pausedAt: () => number
  /** When its machine last slept, true time in milliseconds. */
  readonly sleptAt: () => number
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
  /** Sends a request for a credential: how many there are, and under what leases, is held against what the fleet may do. */
  readonly request: <T>(request: UpstreamRequest, send: () => Promise<T>) => Promise<T>
  /** Counts that an ordered fault has struck a request. */
  readonly struck: (fault: string) => void
  readonly note: (line: string) => void
  /** Says that something is which must not be. */
  readonly violate: (what: string) => void
  /** Reports what becomes of the store from now on. */
  readonly watchStore: (watcher: StoreWatcher) => void
}

export interface StoreWatcher {
  /** A process sends a value to the store. */
  sent?(key: string, request: PublishRequest): void
  /** A value has replaced another; `key` with its namespace, `grantedAt` when the right to fetch it was granted, true time. */
  published?(key: string, request: PublishRequest, grantedAt: number): void
  /** The value that is stored is called rejected from now on. */
  rejected?(key: string, value: string): void
  /** What it had acknowledged may be gone: of one key, with its namespace, or of all. */
  lost?(key?: string): void
  /** Its clock was set: no lease of now can be relied on. */
  clockSet?(): void
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
  }
}
