import { AppType, Client, LoggerLevel } from '@larksuiteoapi/node-sdk'
import { startFeishuSimulator } from '@tokenwell/feishu-simulator'
import { NODE_SDK } from '../../measure/library.ts'
import type { Contender } from '../contender.ts'

const APP = { appId: 'cli_bench', appSecret: 'secret', verificationToken: 'token', type: 'custom' } as const

/** With the cache that it brings, in memory: with one in Redis every call is a round trip. */
export const contender: Contender = {
  name: NODE_SDK,
  async open() {
    const platform = await startFeishuSimulator({ apps: [APP] })
    const { appId, appSecret } = APP
    const client = new Client({ appId, appSecret, appType: AppType.SelfBuild, domain: platform.url, loggerLevel: LoggerLevel.error })
    const { tokenManager } = client
    if (typeof (await tokenManager.getTenantAccessToken()) !== 'string') throw new Error('no token')
    return { ways: { 'getTenantAccessToken()': { async: () => tokenManager.getTenantAccessToken() } } }
  },
}
