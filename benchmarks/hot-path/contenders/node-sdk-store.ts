import { AppType, CAppTicket, Client, DefaultCache, LoggerLevel, withTenantKey } from '@larksuiteoapi/node-sdk'
import { startFeishuSimulator } from '@tokenwell/feishu-simulator'
import { NODE_SDK } from '../../measure/library.ts'
import { type Contender, keyName } from '../contender.ts'

const APP = { appId: 'cli_bench', appSecret: 'secret', verificationToken: 'token' }
/** Each tenant's first call makes two requests. */
const AT_ONCE = 50

/** An app of many tenants, with the cache that it brings, in memory. */
export const contender: Contender = {
  name: `${NODE_SDK}, a store app`,
  async open(keys) {
    const platform = await startFeishuSimulator({ apps: [APP], pushTickets: 'manual' })
    const { appId, appSecret } = APP
    const cache = new DefaultCache()
    // Where the SDK's own handler puts a ticket that is pushed.
    await cache.set(CAppTicket, platform.issueTicket(appId), undefined, { namespace: appId })
    const client = new Client({ appId, appSecret, appType: AppType.ISV, cache, domain: platform.url, loggerLevel: LoggerLevel.error })
    const tenants = Array.from({ length: keys }, (_, index) => withTenantKey(keyName(index)).lark)
    const get = (index: number) => client.tokenManager.getTenantAccessToken(tenants[index])
    for (let from = 0; from < keys; from += AT_ONCE) {
      const few = Array.from({ length: Math.min(AT_ONCE, keys - from) }, (_, index) => get(from + index))
      for (const token of await Promise.all(few)) if (typeof token !== 'string') throw new Error('no token')
    }
    return { ways: { 'getTenantAccessToken(key)': { async: get } } }
  },
}
