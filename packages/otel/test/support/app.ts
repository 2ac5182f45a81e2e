import { AssertionError } from 'node:assert'
import type { TokenManagerOptions, TokenStore } from '@tokenwell/core'
import { createTokenManager } from '@tokenwell/core'
import { createFeishuTokens, type FeishuTokens } from '@tokenwell/core/feishu'
import { type FeishuSimulator, startFeishuSimulator } from '@tokenwell/feishu-simulator'
import { type ObserveOptions, observe } from '@tokenwell/otel'
import { memoryStore } from '@tokenwell/store-memory'
import { onTestFinished } from 'vitest'
import { randomSecret, record, secret } from '../../../../tools/leak-search/index.ts'
import { startTelemetry, type Telemetry } from './telemetry.ts'

/** A process with the tokens of the app, observed. */
export interface Process extends Telemetry {
  readonly tokens: FeishuTokens
  readonly stop: () => void
}

export interface App {
  readonly simulator: FeishuSimulator
  readonly appId: string
  /** One more process, on the store that they share unless it is given another. */
  process(options?: {
    readonly manager?: Partial<TokenManagerOptions>
    readonly observe?: Omit<ObserveOptions, 'meterProvider'>
  }): Promise<Process>
  /** Gives the fleet a ticket, as if this process had received it. */
  giveTicket(process: Process): Promise<void>
}

/** A store app on the simulated platform, which ends with the test. */
export async function startApp(store: TokenStore = memoryStore()): Promise<App> {
  const appId = 'cli_observed'
  const appSecret = randomSecret('app secret')
  const verificationToken = randomSecret('verification token')
  const encryptKey = randomSecret('encrypt key')
  const simulator = await startFeishuSimulator({ apps: [{ appId, appSecret, verificationToken, encryptKey }], pushTickets: 'manual' })
  onTestFinished(() => simulator.close())
  simulator.on('request', ({ fields }) => {
    for (const name of ['app_ticket', 'app_access_token']) if (typeof fields[name] === 'string') secret(fields[name], name)
  })
  return {
    simulator,
    appId,
    async process(options = {}) {
      const telemetry = await startTelemetry()
      const manager = createTokenManager({ store, onEvent: (event) => record('event', event), ...options.manager })
      const tokens = createFeishuTokens({ appId, appSecret, manager, domain: simulator.url, events: { verificationToken, encryptKey } })
      const { meterProvider, tracerProvider } = telemetry
      const stop = observe(tokens, { meterProvider, tracerProvider, ...options.observe })
      onTestFinished(async () => {
        stop()
        await manager.close()
      })
      return { ...telemetry, tokens, stop }
    },
    async giveTicket({ tokens }) {
      await tokens.acceptAppTicket({ ticket: secret(simulator.issueTicket(appId), 'app ticket'), eventTime: new Date() })
    },
  }
}

/** Lets the I/O that is under way come to its end. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 20_000; turn += 1) {
    if (await condition()) return
    await new Promise<void>((resolve) => setImmediate(resolve))
  }
  throw new AssertionError({ message: 'the condition did not come to hold' })
}
