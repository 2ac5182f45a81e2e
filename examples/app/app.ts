/** What the examples have in common: the app behind the endpoint. In place of it stands your own. */
import { createFeishuTokens, feishuFetch } from '@tokenwell/core/feishu'
import { memoryStore } from '@tokenwell/store-memory'

const { APP_ID = '', APP_SECRET = '', VERIFICATION_TOKEN = '', ENCRYPT_KEY = '', DOMAIN = 'feishu' } = process.env

export const tokens = createFeishuTokens({
  appId: APP_ID,
  appSecret: APP_SECRET,
  domain: DOMAIN,
  store: memoryStore(),
  events: { verificationToken: VERIFICATION_TOKEN, encryptKey: ENCRYPT_KEY },
})

/** Events arrive verified, decrypted and parsed; what their fields are is in the platform's documentation of each. */
interface AppEvent {
  readonly event?: { readonly type?: string; readonly tenant_key?: string }
}

/** A company has switched the app on: who is it? Asked with the company's own token. */
export async function onEvent(event: unknown): Promise<void> {
  const { type, tenant_key: tenantKey } = (event as AppEvent).event ?? {}
  if (type !== 'app_open' || tenantKey === undefined) return
  const reply = await feishuFetch(tokens, { tenantKey })('/open-apis/tenant/v2/tenant/query')
  console.log('a company has switched the app on:', await reply.json())
}
