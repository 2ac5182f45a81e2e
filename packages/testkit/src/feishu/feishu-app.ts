import type { TokenErrorCode, TokenHandle } from '@tokenwell/core'
import { createFeishuTokens, type FeishuTokens } from '@tokenwell/core/feishu'
import { REQUEST_TIMEOUT_MS } from '../simulation/request-audit.ts'
import type { PlayedCredential, PlayedProcess, Scenario, Surroundings } from '../simulation/scenario.ts'
import type { TokenLedger } from '../simulation/token-ledger.ts'
import { type Spender, type Spending, TAKEOVER_DELAY_MS } from './login-audit.ts'
import { FORGOTTEN, Person } from './person.ts'
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
          const tokens = openTokens(process, platform, surroundings, { spender, people })
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
function openTokens(
  process: PlayedProcess,
  platform: SimulatedPlatform,
  surroundings: Surroundings,
  { spender, people }: { readonly spender: Spender; readonly people: ReadonlyMap<string, Person> },
): FeishuTokens {
  const { manager, wire, index: node } = process
  const { logins, loginAudit } = platform
  const usedUp = new Set<string>()
  /** Tenants whose last request, the first of a fetch, was refused for the app's token: it is made once more with the next one. */
  const refused = new Set<string>()
  const seconds = new Set<string>()
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
          if (isSecond) seconds.add(asked.tenantKey)
          else seconds.delete(asked.tenantKey)
          return surroundings.request({ key, node, signal, isSecond, patienceMs: REQUEST_TIMEOUT_MS }, send)
        }
        case 'refresh': {
          const { refreshToken } = asked
          if (usedUp.has(refreshToken)) surroundings.violate(`n${node} sent a refresh token that it had used up itself`)
          const spending = loginAudit.sent(refreshToken, spender)
          spendings.set(refreshToken, spending)
          const { key } = tokens.user(logins.userOf(refreshToken))
          const bounds = { patienceMs: REQUEST_TIMEOUT_MS, lastCallMs: LAST_CALL_MS, takeoverDelayMs: TAKEOVER_DELAY_MS }
          const sent = { key, node, signal, ...bounds }
          people.get(logins.userOf(refreshToken))?.isRefreshed()
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
      if (asked.kind === 'tenant' && body.includes(`"code":${APP_TOKEN_INVALID}`) && !seconds.has(asked.tenantKey))
        refused.add(asked.tenantKey)
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
