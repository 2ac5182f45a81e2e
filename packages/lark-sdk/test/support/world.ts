import diagnosticsChannel from 'node:diagnostics_channel'
import { type ClientRequest, createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as newest from '@larksuiteoapi/node-sdk'
import type { TokenStore } from '@tokenwell/core'
import { createFeishuTokens, type FeishuTokens, type FeishuTokensOptions } from '@tokenwell/core/feishu'
import { type FeishuSimulator, type FeishuSimulatorOptions, type SimulatedApp, startFeishuSimulator } from '@tokenwell/feishu-simulator'
import { memoryStore } from '@tokenwell/store-memory'
import { onTestFinished } from 'vitest'
import { randomSecret, record, secret } from '../../../../tools/leak-search/index.ts'
import type { Sdk } from './sdks.ts'

export type Cache = newest.Cache

/** The SDK prints its errors with the requests they are about, tokens and all. */
export const silent = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {}, trace: () => {} }

const WHOAMI = '/open-apis/simulator/whoami'

/** The client of the SDK in one process. */
export interface Official {
  readonly client: newest.Client
  /** Calls the platform, which says whose token the call came with. */
  whoami(tenantKey?: string): Promise<unknown>
}

export interface ClientOptions {
  /** Default: the newest. */
  readonly sdk?: Sdk
  readonly appId?: string
  /** Default: the one of the app. */
  readonly appType?: newest.AppType
}

export interface World {
  readonly app: SimulatedApp
  readonly sim: FeishuSimulator
  /** What the nodes share. */
  readonly store: TokenStore
  /** Tokenwell in one more process: a manager of its own on the shared store. Closed when the test ends. */
  node(options?: Partial<FeishuTokensOptions>): FeishuTokens
  client(cache: Cache, options?: ClientOptions): Official
  /** Paths of the token requests that the SDK sent. Tokenwell's go another way than through `node:http`. */
  readonly sentBySdk: readonly string[]
}

/** The platform with one app, which ends with the test. */
export async function createWorld(
  options: { readonly app?: Partial<SimulatedApp> } & Partial<FeishuSimulatorOptions> = {},
): Promise<World> {
  const { app: given, ...simulated } = options
  const app: SimulatedApp = {
    type: 'store',
    appId: 'cli_world',
    appSecret: randomSecret('app secret'),
    verificationToken: randomSecret('verification token'),
    encryptKey: randomSecret('encrypt key'),
    ...given,
  }
  const sim = await startFeishuSimulator({ apps: [app], pushTickets: 'manual', ...simulated })
  onTestFinished(() => sim.close())
  sim.on('request', ({ fields }) => {
    if (typeof fields.app_ticket === 'string') secret(fields.app_ticket, 'app ticket')
  })
  const sentBySdk: string[] = []
  onTestFinished(watchNodeHttp((path) => sentBySdk.push(path)))
  const store = memoryStore()
  const { appId, appSecret, type: appType = 'store', verificationToken, encryptKey } = app
  const events = { verificationToken, ...(encryptKey === undefined ? {} : { encryptKey }) }
  return {
    app,
    sim,
    store,
    sentBySdk,
    node(more = {}) {
      const tokens = createFeishuTokens({ appId, appSecret, appType, domain: sim.url, store, events, ...more })
      onTestFinished(() => tokens.close())
      return tokens
    },
    client(cache, { sdk = newest, ...more } = {}) {
      const kind = appType === 'store' ? sdk.AppType.ISV : sdk.AppType.SelfBuild
      const client = new sdk.Client({ appId, appSecret, appType: kind, domain: sim.url, cache, logger: silent, ...more })
      return {
        client,
        async whoami(tenantKey) {
          const whose = tenantKey === undefined ? {} : sdk.withTenantKey(tenantKey)
          const { data } = await client.request({ method: 'GET', url: WHOAMI }, whose)
          return data
        },
      }
    },
  }
}

function watchNodeHttp(note: (path: string) => void): () => void {
  const listener = (message: unknown) => {
    const { path } = (message as { readonly request: ClientRequest }).request
    if (path.startsWith('/open-apis/auth/')) note(path.slice('/open-apis/auth/v3/'.length))
  }
  diagnosticsChannel.subscribe('http.client.request.start', listener)
  return () => diagnosticsChannel.unsubscribe('http.client.request.start', listener)
}

/** Gives the fleet a ticket, as if another process had received it. */
export async function giveTicket({ sim, app }: World, tokens: FeishuTokens): Promise<void> {
  await tokens.acceptAppTicket({ ticket: sim.issueTicket(app.appId), eventTime: new Date() })
}

/** Has the app's events sent to a server with this listener, until the test ends. */
export async function receiveEvents({ sim, app }: World, listener: RequestListener): Promise<void> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  sim.setEventUrl(app.appId, `http://127.0.0.1:${(server.address() as AddressInfo).port}/events`)
}

/** The SDK's own dispatcher behind a server, both as their documentation sets them up. */
export async function receiveWithDispatcher(world: World, cache: Cache, sdk: Sdk = newest): Promise<newest.EventDispatcher> {
  const { encryptKey = '', verificationToken } = world.app
  const dispatcher = new sdk.EventDispatcher({ encryptKey, verificationToken, cache, logger: silent })
  await receiveEvents(world, sdk.adaptDefault('/events', dispatcher, { autoChallenge: true }))
  return dispatcher
}

/** The warnings of the process from now on until the test ends. */
export function warnings(): readonly Error[] {
  const seen: Error[] = []
  const listener = (warning: Error) => {
    record('warning', warning)
    seen.push(warning)
  }
  process.on('warning', listener)
  onTestFinished(() => {
    process.off('warning', listener)
  })
  return seen
}

/** Lets what was left to itself come to its end. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise<void>((resolve) => setImmediate(resolve))
}
