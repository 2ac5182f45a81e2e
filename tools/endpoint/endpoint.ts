import { type FeishuSimulator, type SimulatorClock, startFeishuSimulator } from '@tokenwell/feishu-simulator'
import { type RunningServer, startServer } from './server.ts'

/** The server of an example, and the platform that pushes to it. */
export interface Endpoint {
  readonly platform: FeishuSimulator
  readonly appId: string
  readonly server: RunningServer
  /** Where the platform pushes events to. */
  readonly eventUrl: string
  stop(): Promise<void>
}

export interface EndpointOptions {
  /** Of the example. */
  readonly folder: string
  /** What Node is given to start the server. Default: the script `start` of the example's manifest, as its user starts it. */
  readonly args?: readonly string[]
  /** Makes the secrets of the app. */
  readonly secret: (label: string) => string
}

/**
 * Its timers never come. The platform waits 3 s for an answer: enough for a server in production, not for one that compiles the endpoint
 * when it is first called, on a busy machine. Nor is anything to be delivered again by itself.
 */
const patient: SimulatorClock = { wall: () => Date.now(), schedule: () => () => {} }

/** Starts a simulated platform, and the server with what the developer console of that platform would show. */
export async function startEndpoint({ folder, args = ['--run', 'start'], secret }: EndpointOptions): Promise<Endpoint> {
  const appId = 'cli_example'
  const [appSecret, verificationToken, encryptKey] = [secret('app secret'), secret('verification token'), secret('encrypt key')]
  const platform = await startFeishuSimulator({ apps: [{ appId, appSecret, verificationToken, encryptKey }], clock: patient })
  try {
    const server = await startServer({
      command: process.execPath,
      args,
      folder,
      env: {
        APP_ID: appId,
        APP_SECRET: appSecret,
        VERIFICATION_TOKEN: verificationToken,
        ENCRYPT_KEY: encryptKey,
        DOMAIN: platform.url,
      },
    })
    const eventUrl = `${server.url}/feishu/events`
    platform.setEventUrl(appId, eventUrl)
    const stop = async () => {
      await server.stop()
      await platform.close()
    }
    return { platform, appId, server, eventUrl, stop }
  } catch (error) {
    await platform.close()
    throw error
  }
}
