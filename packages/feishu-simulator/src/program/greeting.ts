import type { SimulatedApp } from '../options.ts'
import type { StoreAppOptions } from './program-options.ts'

/** The same every time, so that what was copied once goes on to fit. None of it is worth anything elsewhere. */
export const APP = {
  appId: 'cli_simulated',
  appSecret: 'simulated-app-secret',
  verificationToken: 'simulated-verification-token',
  encryptKey: 'simulated-encrypt-key',
} satisfies SimulatedApp

/** What is printed once it listens: what it does, and what a client has to be given. */
export function greeting(url: string, store: StoreAppOptions | undefined): string {
  const domain = url.replace(/\/\/(0\.0\.0\.0|\[::\])/, '//localhost')
  return store === undefined ? greetingOfCustomApp(url, domain) : greetingOfStoreApp(url, domain, store)
}

function greetingOfStoreApp(url: string, domain: string, { push, intervalMs, tenant }: StoreAppOptions): string {
  const { appId, appSecret, verificationToken, encryptKey } = APP
  return `The simulator listens on ${url}
and pushes an app_ticket to ${push}, now and every ${intervalMs / 1_000} s. Ctrl-C ends it.

  import { createServer } from 'node:http'
  import { createFeishuTokens, createNodeEventHandler } from '@tokenwell/core/feishu'
  import { memoryStore } from '@tokenwell/store-memory'

  const tokens = createFeishuTokens({
    appId: '${appId}',
    appSecret: '${appSecret}',
    domain: '${domain}',
    events: { verificationToken: '${verificationToken}', encryptKey: '${encryptKey}' },
    store: memoryStore(),
  })
  createServer(createNodeEventHandler(tokens)).listen(${portOf(push)})
  const token = await tokens.tenantAccessToken(${JSON.stringify(tenant)})

  APP_ID=${appId}
  APP_SECRET=${appSecret}
  DOMAIN=${domain}
  VERIFICATION_TOKEN=${verificationToken}
  ENCRYPT_KEY=${encryptKey}
`
}

function greetingOfCustomApp(url: string, domain: string): string {
  const { appId, appSecret } = APP
  return `The simulator listens on ${url}. Ctrl-C ends it.

  import { createFeishuTokens } from '@tokenwell/core/feishu'
  import { memoryStore } from '@tokenwell/store-memory'

  const tokens = createFeishuTokens({
    appId: '${appId}',
    appSecret: '${appSecret}',
    appType: 'custom',
    domain: '${domain}',
    store: memoryStore(),
  })
  const token = await tokens.tenantAccessToken()

  APP_ID=${appId}
  APP_SECRET=${appSecret}
  DOMAIN=${domain}
`
}

function portOf(url: string): string {
  const { port, protocol } = new URL(url)
  return port || (protocol === 'https:' ? '443' : '80')
}
