import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach } from 'vitest'
import type { Clock } from '../../src/clock.ts'
import type { EventReceiver, EventReply } from '../../src/feishu/event-handlers.ts'
import { header } from '../../src/feishu/headers.ts'

export const MIB = 1024 * 1024
export const ok: EventReply = { status: 200, headers: { 'content-type': 'application/json' }, body: '{"challenge":"x"}', handled: true }

/** A receiver that remembers what it was given. */
export function receiver(
  reply: EventReply | Error = ok,
): EventReceiver & { readonly received: { body: string; nonce: string | undefined }[] } {
  const received: { body: string; nonce: string | undefined }[] = []
  return {
    received,
    async receiveEvent({ headers, body }) {
      received.push({ body: Buffer.from(body).toString(), nonce: header(headers, 'X-Lark-Request-Nonce') })
      if (reply instanceof Error) throw reply
      return reply
    },
  }
}

/** A clock whose timers fire when the test says so. */
export function manualClock(): Clock & { readonly timers: Set<() => void> } {
  const timers = new Set<() => void>()
  const schedule = (run: () => void) => {
    timers.add(run)
    return () => void timers.delete(run)
  }
  return { timers, wall: () => 0, monotonic: () => 0, schedule }
}

export const post = (body: Exclude<RequestInit['body'], undefined>, init: RequestInit = {}): Request =>
  new Request('http://localhost/events', { method: 'POST', headers: { 'X-Lark-Request-Nonce': 'n' }, ...init, body })

const opened: (() => unknown)[] = []
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close()
})

export type Handler = (request: IncomingMessage, response: ServerResponse) => Promise<void>

/** A server around a handler; `outcomes` are the results of its calls. */
export async function serve(handler: Handler): Promise<{ port: number; outcomes: Promise<unknown>[]; called: Promise<unknown> }> {
  const outcomes: Promise<unknown>[] = []
  const server = createServer((request, response) => {
    outcomes.push(
      handler(request, response).then(
        () => 'resolved',
        (error: unknown) => error,
      ),
    )
    server.emit('called')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  opened.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, outcomes, called: once(server, 'called') }
}

export async function push(port: number, body: string, init: RequestInit = {}): Promise<Response> {
  return fetch(`http://127.0.0.1:${port}/`, {
    method: 'POST',
    body,
    headers: { 'X-Lark-Request-Nonce': 'n', connection: 'close' },
    ...init,
  })
}
