import { isTokenError } from '@tokenwell/core'
import { createFeishuTokens, type FeishuTokens } from '@tokenwell/core/feishu'
import type { Draws } from '../simulation/random.ts'
import { RequestLog } from '../simulation/request-log.ts'
import type { PlayedCredential, PlayedProcess, Scenario, Surroundings } from '../simulation/scenario.ts'
import { simulatedDispatcher } from './simulated-dispatcher.ts'
import { askedBy, PLATFORM_FAULTS, type PlatformFault, SimulatedPlatform } from './simulated-platform.ts'
import type { Receiver } from './ticket-pushes.ts'

export interface FeishuAppOptions {
  /** Tenants whose tokens are asked for, 0 or more. Default 2. */
  readonly tenants?: number
  /** Users who have authorised the app, 0 or more. Default 1. */
  readonly users?: number
}

const APP = { appId: 'cli_simulated', appSecret: 'simulated secret', verificationToken: 'simulated verification token' }

/** How long a person waits for an authorisation before trying again, milliseconds. */
const PATIENCE_MS = 60_000

/** A store app of Feishu or Lark: app tickets pushed to one process at a time, and what is minted from them, over the platform's own endpoints. */
export function feishuApp({ tenants = 2, users = 1 }: FeishuAppOptions = {}): Scenario {
  const tenantKeys = Array.from({ length: tenants }, (_, index) => `tenant ${index}`)
  const userIds = Array.from({ length: users }, (_, index) => `user ${index}`)
  return {
    faults: PLATFORM_FAULTS,
    begin(surroundings) {
      const receivers: Receiver[] = []
      const platform = new SimulatedPlatform(surroundings, APP, () => receivers)
      const log = new RequestLog(surroundings.now)
      const people = new Map(userIds.map((userId) => [userId, new Person(surroundings, platform, userId, receivers)]))
      return {
        requests: log.requests,
        trouble: (fault) => platform.trouble(fault as PlatformFault),
        start(process) {
          const tokens = openTokens(process, platform, log, userIds)
          receivers[process.index] = { process, tokens }
          return [
            { name: 'app', handle: tokens.app, worth: (value) => platform.app.worth(value) },
            ...tenantKeys.map((key): PlayedCredential => {
              return { name: key, handle: tokens.tenant(key), worth: (value) => platform.tenant(key).worth(value) }
            }),
            ...userIds.map((userId): PlayedCredential => {
              const worth = (value: string) => platform.logins.worth(value)
              return { name: userId, handle: tokens.user(userId), worth, failed: (error) => people.get(userId)?.isTold(error) }
            }),
          ]
        },
      }
    },
  }
}

/** The tokens of one process, whose requests go to the platform over the wire of the process. */
function openTokens(process: PlayedProcess, platform: SimulatedPlatform, log: RequestLog, userIds: readonly string[]): FeishuTokens {
  const { manager, wire, index } = process
  const { logins } = platform
  const dispatcher = simulatedDispatcher(
    (request) => {
      const asked = askedBy(request)
      const send = () => wire.request(() => platform.serve(request))
      switch (asked.kind) {
        case 'code':
          return send()
        case 'refresh':
          logins.sent(asked.refreshToken)
          // The simulated users are told apart by nothing else in a request.
          return log.sent(userIds.length === 1 ? tokens.user(userIds[0] ?? '').key : 'refresh', index, send).catch((error: unknown) => {
            if (error instanceof Error && Reflect.get(error, 'code') === 'ECONNREFUSED') logins.refused(asked.refreshToken)
            throw error
          })
        case 'app':
          return log.sent(tokens.app.key, index, send)
        case 'tenant':
          // Refused for the app's token, it is asked for once more with the next one.
          return log.sent(tokens.tenant(asked.tenantKey).key, index, send, 2)
        case 'resend':
          return log.sent('resend', index, send)
      }
    },
    (request, { status }) => {
      const asked = askedBy(request)
      if (asked.kind === 'refresh' && (status === 400 || status === 429)) logins.refused(asked.refreshToken)
    },
  )
  const { appId, appSecret, verificationToken } = APP
  const tokens = createFeishuTokens({ appId, appSecret, manager, events: { verificationToken }, http: { dispatcher } })
  return tokens
}

/** Somebody who authorises the app at the beginning, and again when told to. */
class Person {
  readonly #surroundings: Surroundings
  readonly #platform: SimulatedPlatform
  readonly #userId: string
  readonly #receivers: readonly Receiver[]
  readonly #draws: Draws
  #isAtIt = false

  constructor(surroundings: Surroundings, platform: SimulatedPlatform, userId: string, receivers: readonly Receiver[]) {
    this.#surroundings = surroundings
    this.#platform = platform
    this.#userId = userId
    this.#receivers = receivers
    this.#draws = surroundings.draws(userId)
    this.#authorizeIn(5_000)
  }

  /** A caller of some process was told something. */
  isTold(error: unknown): void {
    if (isTokenError(error) && error.code === 'REAUTHORIZATION_REQUIRED') this.#authorizeIn(this.#draws.spread(1_000, 60_000))
  }

  #authorizeIn(ms: number): void {
    if (this.#isAtIt) return
    this.#isAtIt = true
    const { now, at } = this.#surroundings
    at(now() + ms, () => {
      let isOver = false
      const end = (again: boolean) => {
        if (isOver) return
        isOver = true
        this.#isAtIt = false
        if (again) this.#authorizeIn(this.#draws.spread(5_000, PATIENCE_MS))
      }
      at(now() + PATIENCE_MS, () => end(true))
      this.#authorize(end)
    })
  }

  #authorize(end: (again: boolean) => void): void {
    const { violate, note } = this.#surroundings
    const up = this.#receivers.filter(({ process }) => process.isUp())
    if (up.length === 0) {
      end(true)
      return
    }
    const { process, tokens } = this.#draws.pick(up)
    note(`${this.#userId} authorises`)
    tokens
      .user(this.#userId)
      .authorize({ code: this.#platform.logins.code() })
      .then(
        () => end(false),
        (error: unknown) => {
          if (process.isUp() && !isTokenError(error)) violate(`authorize() rejected with ${String(error)}`)
          end(true)
        },
      )
  }
}
