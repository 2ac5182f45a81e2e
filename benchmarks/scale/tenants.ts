import { setTimeout as passed } from 'node:timers/promises'
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
  /** Of the tenants. Each is a new string in one piece, as what is read from a request is. */
  names(): Iterable<string>
  /** Of all tenants, and of the app. */
  handles(): TokenHandle[]
  /** Operations of the store so far. */
  asked(): number
  /** Resolves when nothing is under way: what was fetched is in the store. */
  atRest(): Promise<void>
  close(): Promise<void>
}

const POLL_MS = 50

export function openTenants({ place, platformUrl, tenants }: Order, onEvent?: (event: TokenEvent) => void): Tenants {
  const { store, close } = openStore(place)
  const manager = createTokenManager({ store, storeTimeoutMs: 10_000, maxEntries: 1_000_000 })
  let asked = 0
  manager.listen({ ...(onEvent && { onEvent }), onStoreCall: () => asked++ })
  const { appId, appSecret } = APP
  const tokens = createFeishuTokens({ appId, appSecret, manager, domain: platformUrl })
  function* names(): Generator<string> {
    for (let index = 0; index < tenants; index++) yield Buffer.from(`tenant-${String(index).padStart(8, '0')}`).toString()
  }
  return {
    manager,
    tokens,
    names,
    handles: () => [tokens.app, ...Array.from(names(), (name) => tokens.tenant(name))],
    asked: () => asked,
    async atRest() {
      while (manager.status().some(({ state }) => state !== 'idle')) await passed(POLL_MS)
    },
    async close() {
      await tokens.close()
      await manager.close()
      await close()
    },
  }
}
