import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { deferred } from './deferred.ts'
import type { CallbackRequest } from './event.ts'

/** What a callback URL answered. */
export interface CallbackReply {
  readonly status: number
  readonly body: string
}

/** Posts an event on a connection of its own, closed with the reply. Rejects when `signal` is aborted or the connection fails. */
export function postCallback(url: string, { headers, body }: CallbackRequest, signal: AbortSignal): Promise<CallbackReply> {
  const { promise, resolve, reject } = deferred<CallbackReply>()
  const send = new URL(url).protocol === 'https:' ? httpsRequest : httpRequest
  const length = String(Buffer.byteLength(body))
  const request = send(url, { method: 'POST', agent: false, signal, headers: { ...headers, 'Content-Length': length } }, (response) => {
    const chunks: Buffer[] = []
    response.on('data', (chunk: Buffer) => chunks.push(chunk))
    response.on('error', reject)
    response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') }))
  })
  request.on('error', reject)
  request.end(body)
  return promise
}
