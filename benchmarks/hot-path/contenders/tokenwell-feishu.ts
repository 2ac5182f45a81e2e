import { createFeishuTokens } from '@tokenwell/core/feishu'
import { startFeishuSimulator } from '@tokenwell/feishu-simulator'
import { memoryStore } from '@tokenwell/store-memory'
import { type Contender, keyName } from '../contender.ts'

const APP = { appId: 'cli_bench', appSecret: 'secret', verificationToken: 'token', encryptKey: 'key' }

export const contender: Contender = {
  name: 'Tokenwell, Feishu',
  async open(keys) {
    const platform = await startFeishuSimulator({ apps: [APP], pushTickets: 'manual' })
    const tokens = createFeishuTokens({ appId: APP.appId, appSecret: APP.appSecret, store: memoryStore(), domain: platform.url })
    await tokens.acceptAppTicket({ ticket: platform.issueTicket(APP.appId), eventTime: new Date() })
    const names = Array.from({ length: keys }, (_, index) => keyName(index))
    const { failed } = await tokens.warm(names, { concurrency: 50 })
    if (failed.length > 0) throw new Error(`${failed.length} tenants have no token: ${failed[0]?.error.message}`)
    return {
      ways: {
        'appAccessToken()': { async: () => tokens.appAccessToken() },
        'tenantAccessToken(key)': { async: (index) => tokens.tenantAccessToken(names[index]) },
      },
    }
  },
}
