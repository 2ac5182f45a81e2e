import type { Credential } from '../credential.ts'
import { TokenError } from '../errors.ts'
import { feishuPolicy } from './feishu-policy.ts'
import type { Http } from './http.ts'
import { parseJsonObject } from './raw-body.ts'
import { isRejectedToken } from './rejected-token.ts'
import { parseCustomAppTokensReply } from './replies.ts'
import { buildCustomAppTokensRequest } from './requests.ts'

/** The tokens of a custom app, for itself and for its one tenant. One request brings both, so they are one record. */
export function customAppTokens(options: {
  readonly key: string
  readonly config: string
  readonly appId: string
  readonly appSecret: string
  readonly http: Http
}): Credential {
  const { key, config, appId, appSecret, http } = options
  return {
    key,
    policy: feishuPolicy,
    config,
    isRejected: isRejectedToken,
    async fetch({ signal, assertInTime }) {
      assertInTime()
      const reply = await http.post(buildCustomAppTokensRequest({ appId, appSecret }), { signal })
      const { app, tenant, expiresInMs } = parseCustomAppTokensReply(reply, [appSecret])
      return { value: JSON.stringify({ app, tenant }), expiresInMs }
    },
  }
}

/** One of the two tokens in a record of them. @throws TokenError `STORE_INCOMPATIBLE` when it is something else */
export function customAppToken(which: 'app' | 'tenant'): (stored: string) => string {
  return (stored) => {
    const token = parseJsonObject(Buffer.from(stored))?.[which]
    if (typeof token === 'string') return token
    const message =
      'The record of the tokens of this custom app holds something else. Was it written by another version of @tokenwell/core?'
    throw new TokenError('STORE_INCOMPATIBLE', message, { retryable: false })
  }
}
