import { createTokenManager, type TokenEvent, type TokenHandle, type TokenManager } from '@tokenwell/core'
import { createFeishuTokens, type FeishuTokens } from '@tokenwell/core/feishu'
import { APP } from './app.ts'
import { openStore, type Place } from './places.ts'

/** What every process of a fleet is told. */
export interface Order {
  readonly place: Place
  readonly platformUrl: string
  readonly tenants: number
}

/** The tokens of many tenants in this process. */
export interface Tenants {
  readonly manager: TokenManager
  readonly tokens: FeishuTokens
  readonly names: readonly string[]
  /** Of all tenants, and of the app. */
  handles(): TokenHandle[]
  /** Operations of the store so far. */
  asked(): number
  close(): Promise<void>
}

export function openTenants({ place, platformUrl, tenants }: Order, onEvent?: (event: TokenEvent) => void): Tenants {
  const { store, close } = openStore(place)
  const manager = createTokenManager({ store, storeTimeoutMs: 10_000, maxEntries: 1_000_000 })
  let asked = 0
  manager.listen({ ...(onEvent && { onEvent }), onStoreCall: () => asked++ })
  const { appId, appSecret } = APP
  const tokens = createFeishuTokens({ appId, appSecret, manager, domain: platformUrl })
  const names = Array.from({ length: tenants }, (_, index) => `tenant-${String(index).padStart(8, '0')}`)
  return {
    manager,
    tokens,
    names,
    handles: () => [tokens.app, ...names.map((name) => tokens.tenant(name))],
    asked: () => asked,
    async close() {
      await tokens.close()
      await manager.close()
      await close()
    },
  }
}
