import { AssertionError } from 'node:assert'
import { isTokenError, type TokenError } from '@tokenwell/core'
import { errorOf, secret } from '../../../../tools/leak-search/index.ts'
import { userPolicy } from '../../src/feishu/user-access-token.ts'
import { leaseMs } from '../../src/machine/policy.ts'
import { HOUR, MINUTE, type Node, pass, type World, watched } from './world.ts'

export const OAUTH = 'oauth_token'
export const DAY = 24 * HOUR
export const LEASE = leaseMs(userPolicy)
export const ANN = 'ann'

export const requests = ({ simulator }: World) => simulator.counters().requests[OAUTH]

/** Lets a user go through the authorisation page and come back to this node. */
export async function authorize(world: World, { tokens }: Node, userId = ANN, scope?: string): Promise<void> {
  const code = secret(world.simulator.issueCode(world.appId, userId, scope === undefined ? {} : { scope }), 'code')
  await tokens.user(userId).authorize({ code })
  noted(world)
}

/** A user whose tokens have ended comes with a new code. What it grants him is there, as `accessToken`; the reply waits to be let go. */
export async function slowExchange(world: World, node: Node) {
  await authorize(world, node)
  await pass(world.clock, 3 * HOUR)
  const held = world.simulator.fault(OAUTH, { kind: 'hang', at: 'reply' }, { times: 1 })
  const code = secret(world.simulator.issueCode(world.appId, ANN), 'code')
  const authorizing = watched(node.tokens.user(ANN).authorize({ code }))
  await world.simulator.next('held')
  const { accessToken } = world.simulator.login(world.appId, ANN) ?? {}
  return { held, authorizing, accessToken }
}

/** What may not be in any event or error from now on. */
export function noted({ simulator, appId }: World): void {
  for (const { accessToken, refreshTokens } of simulator.logins(appId)) {
    secret(accessToken, 'user access token')
    for (const { value } of refreshTokens) secret(value, 'refresh token')
  }
}

export async function failure(promise: Promise<unknown>): Promise<TokenError> {
  const error = await errorOf(promise)
  if (!isTokenError(error)) throw new AssertionError({ message: `expected a TokenError, got ${String(error)}` })
  return error
}

export async function whoami(world: World, token: string): Promise<unknown> {
  const response = await fetch(`${world.simulator.url}/open-apis/authen/v1/user_info`, { headers: { authorization: `Bearer ${token}` } })
  return response.json()
}

/** The tokens of a user fall due for everybody who has them. */
export const untilDue = (world: World) => pass(world.clock, 2 * HOUR - 5 * MINUTE)
