import { createTokenManager, type TokenStore } from '@tokenwell/core'
import { createFeishuTokens } from '@tokenwell/core/feishu'
import { type Opened, SECRET } from './contender.ts'

/** Custom apps of Feishu that share a manager. */
export function openTokenwell(store: TokenStore, upstreamUrl: string): Opened {
  const manager = createTokenManager({ store })
  return (appId) => {
    const tokens = createFeishuTokens({ appId, appSecret: SECRET, appType: 'custom', manager, domain: upstreamUrl })
    return () => tokens.tenantAccessToken()
  }
}
