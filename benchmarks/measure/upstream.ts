// A token endpoint in a process of its own. It makes a new token for whoever asks, takes its time, and counts. One endpoint for every
// contender: its reply has the fields of Feishu's custom apps beside those of OAuth.
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { argument } from './child.ts'
import { serve } from './served.ts'

export interface UpstreamOrder {
  /** From the end of a request to its reply. */
  readonly latencyMs: number
}

export interface UpstreamAddress {
  readonly url: string
}

/** As long as Feishu's live. */
const LIFE_SECONDS = 7_200
/** All callers of all processes connect in one moment. */
const BACKLOG = 32_768

const { latencyMs } = argument<UpstreamOrder>()
const requests = new Map<string, number>()
let made = 0

const server = createServer((request, response) => {
  void clientOf(request).then((client) => {
    requests.set(client, (requests.get(client) ?? 0) + 1)
    const token = `t-${String(made++).padStart(40, '0')}`
    const feishu = { code: 0, msg: 'ok', app_access_token: token, tenant_access_token: token, expire: LIFE_SECONDS }
    const oauth = { access_token: token, token_type: 'Bearer', expires_in: LIFE_SECONDS }
    const body = JSON.stringify({ ...feishu, ...oauth })
    setTimeout(() => response.writeHead(200, { 'content-type': 'application/json' }).end(body), latencyMs)
  })
})
// Connections that were opened beforehand are there when they are needed.
server.keepAliveTimeout = 60_000
server.listen({ port: 0, host: '127.0.0.1', backlog: BACKLOG }, () => {
  const { port } = server.address() as AddressInfo
  serve({ url: `http://127.0.0.1:${port}` } satisfies UpstreamAddress, async (client: string) => requests.get(client) ?? 0)
})

async function clientOf(request: IncomingMessage): Promise<string> {
  const body = await text(request)
  const isJson = request.headers['content-type']?.startsWith('application/json') === true
  const client: unknown = isJson ? (JSON.parse(body) as { readonly app_id: unknown }).app_id : new URLSearchParams(body).get('client_id')
  if (typeof client !== 'string') throw new Error('a request named no client')
  return client
}
