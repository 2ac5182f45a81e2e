/**
 * A process of its own on the machine's clock, for what only the end of a process can show. Started by a test as
 * `node child.ts <what to do> <upstream> <app id> <app secret> [<ticket>]`; writes one line of JSON to its standard output for each thing
 * that happened, with the time. Its output goes to a file: a pipe would be a resource of its own.
 */
import { subscribe } from 'node:diagnostics_channel'
import { writeSync } from 'node:fs'
import { memoryStore } from '../../../store-memory/src/index.ts'
import { createFeishuTokens, type FeishuTokens } from '../../src/feishu/index.ts'

const [, , task = '', domain = '', appId = '', appSecret = '', ticket = ''] = process.argv

function say(what: object): void {
  writeSync(1, `${JSON.stringify({ at: Date.now(), ...what })}\n`)
}

async function open(): Promise<FeishuTokens> {
  const tokens = createFeishuTokens({ appId, appSecret, domain, store: memoryStore() })
  if (ticket !== '') await tokens.acceptAppTicket({ ticket, eventTime: new Date() })
  return tokens
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown }).code
}

const tasks: Readonly<Record<string, () => Promise<void>>> = {
  /** Ends by itself after close(), with a token in memory and a caller waiting elsewhere. */
  async close() {
    const tokens = await open()
    say({ had: (await tokens.appAccessToken()).length > 0 })
    const from = performance.now()
    await tokens.close()
    await new Promise<void>((resolve) => setImmediate(resolve))
    say({ closedAfterMs: performance.now() - from, resources: process.getActiveResourcesInfo() })
  },
  /** The same with a request that gets no reply and callers that wait for it. */
  async 'close-in-flight'() {
    const tokens = await open()
    const sent = new Promise<void>((resolve) => subscribe('undici:request:bodySent', () => resolve()))
    const callers = Array.from({ length: 10 }, () => tokens.appAccessToken().catch(codeOf))
    await sent
    const from = performance.now()
    await tokens.close()
    const outcomes = await Promise.all(callers)
    await new Promise<void>((resolve) => setImmediate(resolve))
    say({ closedAfterMs: performance.now() - from, outcomes, resources: process.getActiveResourcesInfo() })
  },
  /** A manager that is not closed, with a token, its timers and a warm connection. */
  async idle() {
    const tokens = await open()
    say({ had: (await tokens.appAccessToken()).length > 0, states: tokens.status().map(({ state }) => state) })
  },
  /** Nothing but a caller keeps the process there until it has its answer. */
  async wait() {
    const tokens = await open()
    const value = await tokens.appAccessToken()
    say({ had: value.length > 0 })
  },
  /** A caller that is there until its bound. */
  async 'wait-in-vain'() {
    const tokens = await open()
    say({
      code: await tokens.app.get({ timeoutMs: 700 }).then(
        () => 'had one',
        (error: unknown) => codeOf(error),
      ),
    })
  },
}

await tasks[task]?.()
say({ done: task })
