import { isTokenError, type TokenErrorCode, type TokenHandle } from '@tokenwell/core'
import { createFeishuTokens, type FeishuTokens } from '@tokenwell/core/feishu'
import type { Draws } from '../simulation/random.ts'
import { REQUEST_TIMEOUT_MS } from '../simulation/request-audit.ts'
import type { PlayedCredential, PlayedProcess, Scenario, Surroundings } from '../simulation/scenario.ts'
import type { TokenLedger } from '../simulation/token-ledger.ts'
import type { Spender, Spending } from './login-audit.ts'
import { simulatedDispatcher } from './simulated-dispatcher.ts'
import { APP_TOKEN_INVALID, askedBy, PLATFORM_FAULTS, type PlatformFault, SimulatedPlatform } from './simulated-platform.ts'
import type { Receiver } from './ticket-pushes.ts'

export interface FeishuAppOptions {
  /** Tenants whose tokens are asked for, 0 or more. Default 2. */
  readonly tenants?: number
  /** Users who have authorised the app, 0 or more. Default 1. */
  readonly users?: number
}

const APP = { appId: 'cli_simulated', appSecret: 'simulated secret', verificationToken: 'simulated verification token' }

/** Core's, milliseconds: a reply that uses something up is taken so much longer. */
const LAST_CALL_MS = 1_000

/** How long a person waits for an authorisation before trying again, milliseconds. */
const PATIENCE_MS = 60_000
/** Somebody who is logged in authorises once more so often, milliseconds. */
const COMES_BACK_MS = { min: 10 * 60_000, max: 3 * 3_600_000 }
/** Somebody who was forgotten authorises again after so long, milliseconds. */
const AWAY_MS = { min: 1_000, max: 5 * 60_000 }

/** The users of the app are forgotten. */
const FORGOTTEN = 'forgotten'

/** A store app of Feishu or Lark: app tickets pushed to one process at a time, and what is minted from them, over the platform's own endpoints. */
export function feishuApp({ tenants = 2, users = 1 }: FeishuAppOptions = {}): Scenario {
  const tenantKeys = Array.from({ length: tenants }, (_, index) => `tenant ${index}`)
  const userIds = Array.from({ length: users }, (_, index) => `user ${index}`)
  return {
    faults: users > 0 ? [...PLATFORM_FAULTS, FORGOTTEN] : PLATFORM_FAULTS,
    begin(surroundings) {
      const receivers: Receiver[] = []
      const platform = new SimulatedPlatform(surroundings, APP, () => receivers)
      const people = new Map(userIds.map((userId) => [userId, new Person(surroundings, platform, userId, receivers)]))
      return {
        trouble(fault) {
          if (fault !== FORGOTTEN) return platform.trouble(fault as PlatformFault)
          for (const person of people.values()) person.isForgotten()
          return () => {}
        },
        start(process) {
          const { index, isUp, pausedAt, sleptAt } = process
          const spender: Spender = { name: `n${index}`, isUp, pausedAt, sleptAt, served: new Map() }
          const tokens = openTokens(process, platform, surroundings, spender)
          receivers[process.index] = { process, tokens }
          const isWithoutTicket = (code: TokenErrorCode) => code.startsWith('TICKET_') && !platform.hasTicket
          const minted = (name: string, handle: TokenHandle, ledger: TokenLedger): PlayedCredential => {
            const [worth, givenOut] = [(value: string) => ledger.worth(value), (value: string) => ledger.givenOut(value)]
            return { name, handle, worth, givenOut, isOut: isWithoutTicket }
          }
          const { logins, loginAudit } = platform
          return [
            minted('app', tokens.app, platform.app),
            ...tenantKeys.map((key) => minted(key, tokens.tenant(key), platform.tenant(key))),
            ...userIds.map((userId): PlayedCredential => {
              const failed = (error: unknown) => people.get(userId)?.isTold(error)
              const [worth, givenOut] = [(value: string) => logins.worth(value), (value: string) => logins.givenOut(value)]
              const given = (value: string) => {
                loginAudit.given(value, spender)
                people.get(userId)?.isServed(process, value)
              }
              const isOut = (code: TokenErrorCode) =>
                isWithoutTicket(code) || (code === 'REAUTHORIZATION_REQUIRED' && !loginAudit.isStored(userId))
              return { name: userId, handle: tokens.user(userId), worth, givenOut, rotates: true, given, failed, isOut }
            }),
          ]
        },
      }
    },
  }
}

/** The tokens of one process, whose requests go to the platform over the wire of the process. */
function openTokens(process: PlayedProcess, platform: SimulatedPlatform, surroundings: Surroundings, spender: Spender): FeishuTokens {
  const { manager, wire, index: node } = process
  const { logins, loginAudit } = platform
  const usedUp = new Set<string>()
  /** Tenants whose last request was refused for the app's token: it is made once more with the next one. */
  const refused = new Set<string>()
  /** By the refresh token: the last request with it. */
  const spendings = new Map<string, Spending>()
  const dispatcher = simulatedDispatcher(
    (request, signal) => {
      const asked = askedBy(request)
      const send = () => wire.request(() => platform.serve(request))
      switch (asked.kind) {
        case 'code':
          return send()
        case 'resend':
          return surroundings.request({ key: 'resend', node, signal, isUnleased: true }, send)
        case 'app':
          return surroundings.request({ key: tokens.app.key, node, signal, patienceMs: REQUEST_TIMEOUT_MS }, send)
        case 'tenant': {
          const { key } = tokens.tenant(asked.tenantKey)
          const isSecond = refused.delete(asked.tenantKey)
          return surroundings.request({ key, node, signal, isSecond, patienceMs: REQUEST_TIMEOUT_MS }, send)
        }
        case 'refresh': {
          const { refreshToken } = asked
          if (usedUp.has(refreshToken)) surroundings.violate(`n${node} sent a refresh token that it had used up itself`)
          const spending = loginAudit.sent(refreshToken, spender)
          spendings.set(refreshToken, spending)
          const { key } = tokens.user(logins.userOf(refreshToken))
          const sent = { key, node, signal, patienceMs: REQUEST_TIMEOUT_MS, lastCallMs: LAST_CALL_MS }
          const spend = () => wire.request(() => platform.serve(request, spending))
          return surroundings.request(sent, spend).catch((error: unknown) => {
            if (error instanceof Error && Reflect.get(error, 'code') === 'ECONNREFUSED') loginAudit.refused(refreshToken)
            throw error
          })
        }
      }
    },
    (request, { status, body }) => {
      const asked = askedBy(request)
      if (asked.kind === 'tenant' && body.includes(`"code":${APP_TOKEN_INVALID}`)) refused.add(asked.tenantKey)
      if (asked.kind !== 'refresh') return
      const { refreshToken } = asked
      if (status === 400 || status === 429) loginAudit.refused(refreshToken)
      else if (status === 200 && body.includes('"refresh_token"')) {
        usedUp.add(refreshToken)
        const spending = spendings.get(refreshToken)
        if (spending !== undefined) loginAudit.answered(refreshToken, spending)
      }
    },
  )
  const { appId, appSecret, verificationToken } = APP
  const tokens = createFeishuTokens({ appId, appSecret, manager, events: { verificationToken }, http: { dispatcher } })
  return tokens
}

/** Somebody who authorises the app at the beginning, when told to, and again now and then. */
class Person {
  readonly #surroundings: Surroundings
  readonly #platform: SimulatedPlatform
  readonly #userId: string
  readonly #receivers: readonly Receiver[]
  readonly #draws: Draws
  #isAtIt = false
  /** By process, in one of its lives: whether a value is of what it has forgotten last. */
  readonly #forgotten = new Map<PlayedProcess, (access: string) => boolean>()

  constructor(surroundings: Surroundings, platform: SimulatedPlatform, userId: string, receivers: readonly Receiver[]) {
    this.#surroundings = surroundings
    this.#platform = platform
    this.#userId = userId
    this.#receivers = receivers
    this.#draws = surroundings.draws(userId)
    this.#authorizeIn(5_000)
    this.#comeBack()
  }

  /** A caller of some process was told something. */
  isTold(error: unknown): void {
    if (isTokenError(error) && error.code === 'REAUTHORIZATION_REQUIRED') this.#authorizeIn(this.#draws.spread(1_000, 60_000))
  }

  /** Some process takes the tokens from the fleet. */
  isForgotten(): void {
    const { struck, violate, note } = this.#surroundings
    const up = this.#receivers.filter(({ process }) => process.isUp())
    if (up.length === 0) return
    const { process, tokens } = this.#draws.pick(up)
    note(`${this.#userId} is to be forgotten by n${process.index}`)
    struck(FORGOTTEN)
    const isDone = this.#platform.loginAudit.forgetting(this.#userId)
    tokens
      .user(this.#userId)
      .forget()
      .then(
        () => {
          note(`${this.#userId} is forgotten`)
          this.#forgotten.set(process, isDone())
        },
        (error: unknown) => {
          if (process.isUp() && !isTokenError(error)) violate(`forget() rejected with ${String(error)}`)
        },
      )
      .finally(() => this.#authorizeIn(this.#draws.spread(AWAY_MS.min, AWAY_MS.max)))
  }

  /** A caller of a process was given this. Whoever has forgotten it serves it no more; others do until they have heard of it. */
  isServed(process: PlayedProcess, access: string): void {
    if (this.#forgotten.get(process)?.(access) !== true) return
    this.#surroundings.violate(`n${process.index} serves a login of ${this.#userId} that it has forgotten itself`)
  }

  #comeBack(): void {
    const { now, at } = this.#surroundings
    at(now() + this.#draws.spread(COMES_BACK_MS.min, COMES_BACK_MS.max), () => {
      this.#authorizeIn(1)
      this.#comeBack()
    })
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
    const { now, violate, note } = this.#surroundings
    const up = this.#receivers.filter(({ process }) => process.isUp())
    if (up.length === 0) {
      end(true)
      return
    }
    const { process, tokens } = this.#draws.pick(up)
    note(`${this.#userId} authorises`)
    const { logins, loginAudit } = this.#platform
    const code = logins.code(this.#userId)
    const calledAt = now()
    tokens
      .user(this.#userId)
      .authorize({ code })
      .then(
        () => {
          loginAudit.authorized(code, calledAt)
          end(false)
        },
        (error: unknown) => {
          if (process.isUp() && !isTokenError(error)) violate(`authorize() rejected with ${String(error)}`)
          end(true)
        },
      )
  }
}
