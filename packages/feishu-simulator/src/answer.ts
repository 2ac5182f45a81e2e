import { answerApi, giveJsapiTicket } from './api-endpoints.ts'
import type { Answer, Call } from './endpoints.ts'
import { answerAuth } from './mint-endpoints.ts'
import { answerOauth, answerOidc } from './oauth-endpoints.ts'
import type { Platform } from './platform.ts'

/** Decides on a request. Changes nothing but the ledgers of the app it is for. */
export function answer(call: Call, platform: Platform): Answer {
  const { endpoint, method } = call
  if (endpoint === 'other') return { status: 404, body: { code: 404, msg: 'no such path in the simulator' } }
  if (endpoint === 'api') return answerApi(call, platform)
  // Documented with POST; clients in use ask with GET.
  if (endpoint === 'jsapi_ticket' && (method === 'POST' || method === 'GET')) return giveJsapiTicket(call, platform)
  if (method !== 'POST') return { status: 405, body: { code: 405, msg: 'method not allowed' } }
  if (endpoint === 'oauth_token') return answerOauth(call, platform)
  return endpoint === 'oidc_token' ? answerOidc(call, platform) : answerAuth(call, platform)
}
