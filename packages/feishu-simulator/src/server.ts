import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Timekeeper } from './clock.ts'
import { type Answer, type Call, effectOf, endpointOf, type Fields } from './endpoints.ts'
import { distort, type FaultMoment, type FaultScript, faultMoment, replyInstead, type Struck, type WireReply } from './faults.ts'
import type { Claim } from './platform.ts'
import type { OpenRecord, RequestLog } from './request-log.ts'

/** A larger request body is refused with HTTP 413. */
const LARGEST_REQUEST_BYTES = 1024 * 1024

/** Pieces of a slow body. */
const SLOW_PIECES = 10

export interface ServerOptions {
  readonly time: Timekeeper
  readonly faults: FaultScript
  readonly log: RequestLog
  readonly rateLimitStatus: number
  /** Carries a request out. */
  readonly answer: (call: Call, record: OpenRecord) => Answer
  /** Who a request claims to be for. */
  readonly claimOf: (record: OpenRecord) => Claim
  /** Headers have arrived. */
  readonly onStarted: (record: OpenRecord) => void
  /** The body has arrived, and nothing has been decided. */
  readonly onReceived: (record: OpenRecord) => void
  /** A fault holds the request or its reply back; its timer is set. Once for each piece of a slow body. */
  readonly onHeld: (record: OpenRecord) => void
  /** Answered or broken off; called once, before the client can see the end of the reply. */
  readonly onEnded: (record: OpenRecord) => void
  /** The simulator itself failed, the ledger's audit included; the client got HTTP 500. */
  readonly onViolation: (error: unknown) => void
}

/** One request on its way through the server. */
interface Exchange {
  readonly record: OpenRecord
  readonly response: ServerResponse
  readonly struck: Struck | undefined
  /** Aborted when the exchange has ended, in whichever way. */
  readonly over: AbortSignal
  readonly end: (how: 'replied' | 'client-left' | 'reset') => void
}

/** The HTTP side: reads requests, applies the timing of faults, writes replies. Decides nothing itself. */
export function createSimulatorServer(options: ServerOptions): Server {
  return createServer((request, response) => {
    serve(request, response, options).catch((error: unknown) => {
      options.onViolation(error)
      if (!response.headersSent) response.writeHead(500, { 'content-type': 'text/plain; charset=utf-8' })
      response.end(`the simulator failed: ${String(error)}`)
    })
  })
}

/** Listens, and resolves with the base URL, without a slash at its end. */
export async function listen(server: Server, host: string, port: number): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, resolve)
  })
  const address = server.address() as AddressInfo
  const name = address.family === 'IPv6' ? `[${address.address}]` : address.address
  return `http://${name}:${address.port}`
}

async function serve(request: IncomingMessage, response: ServerResponse, options: ServerOptions): Promise<void> {
  const { time, faults, log } = options
  const path = (request.url ?? '/').replace(/[?#].*$/, '')
  const record = log.begin(request.method ?? 'GET', path, endpointOf(path), time.now())
  const { authorization } = request.headers
  if (authorization !== undefined) record.authorization = authorization
  const over = new AbortController()
  const end: Exchange['end'] = (how) => {
    if (over.signal.aborted) return
    over.abort()
    record.end = how
    record.endedAtMs = time.now()
    options.onEnded(record)
  }
  response.once('close', () => {
    try {
      end('client-left')
    } catch (error) {
      options.onViolation(error)
    }
  })
  response.setHeader('X-Tt-Logid', record.logId)
  options.onStarted(record)

  const exchange = (struck?: Struck): Exchange => ({ record, response, struck, over: over.signal, end })
  const body = await readBody(request)
  if (over.signal.aborted) return
  if (body === 'too-large') return write(exchange(), { status: 413, headers: { connection: 'close' }, text: '' }, options)
  const fields = parseFields(body, request.headers['content-type'])
  record.fields = fields ?? {}
  Object.assign(record, options.claimOf(record))
  const struck = faults.take(record)
  if (struck) record.fault = struck.fault
  options.onReceived(record)

  const call: Call = {
    endpoint: record.endpoint,
    method: record.method,
    path,
    ...(fields ? { fields } : {}),
    ...(authorization === undefined ? {} : { authorization }),
  }
  await reply(exchange(struck), call, options)
}

async function reply(exchange: Exchange, call: Call, options: ServerOptions): Promise<void> {
  const { record, struck } = exchange
  await strike('request', exchange, options)
  if (record.end !== 'open') return
  const instead = struck && replyInstead(struck.fault, options.rateLimitStatus, record.endpoint)
  if (instead) return write(exchange, instead, options)
  const answer = options.answer(call, record)
  const effect = effectOf(answer)
  if (effect) record.effect = effect
  await strike('reply', exchange, options)
  if (record.end !== 'open') return
  await write(exchange, distort(answer, struck?.fault), options)
}

/** Applies a fault of timing that is due at `moment`. The exchange may be over afterwards. */
async function strike(moment: FaultMoment, { record, response, struck, over, end }: Exchange, options: ServerOptions): Promise<void> {
  if (!struck || faultMoment(struck.fault) !== moment) return
  if (struck.fault.kind === 'reset') {
    end('reset')
    response.socket?.resetAndDestroy()
    return
  }
  const held = struck.fault.kind === 'delay' ? options.time.sleep(struck.fault.ms, over) : Promise.race([struck.released, aborted(over)])
  options.onHeld(record)
  await held
}

async function write({ record, response, struck, over, end }: Exchange, wire: WireReply, options: ServerOptions): Promise<void> {
  record.status = wire.status
  if (wire.code !== undefined) record.code = wire.code
  let rest = Buffer.from(wire.text)
  response.writeHead(wire.status, { ...wire.headers, 'content-length': String(rest.length) })
  if (struck?.fault.kind === 'slow-body') {
    response.flushHeaders()
    const size = Math.ceil(rest.length / SLOW_PIECES)
    for (; rest.length > 0; rest = rest.subarray(size)) {
      const held = options.time.sleep(struck.fault.ms / SLOW_PIECES, over)
      options.onHeld(record)
      await held
      if (over.aborted) return
      if (rest.length <= size) break
      response.write(rest.subarray(0, size))
    }
  }
  end('replied')
  response.end(rest)
}

/** The body, or `'too-large'`; an empty one when the client left before its end. */
function readBody(request: IncomingMessage): Promise<Buffer | 'too-large'> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let length = 0
    request.on('data', (chunk: Buffer) => {
      length += chunk.length
      if (length > LARGEST_REQUEST_BYTES) resolve('too-large')
      else chunks.push(chunk)
    })
    request.on('end', () => resolve(Buffer.concat(chunks)))
    request.on('error', () => resolve(Buffer.alloc(0)))
  })
}

/** The fields of a JSON object sent as `application/json`; `undefined` for any other body. */
function parseFields(body: Buffer, contentType: string | undefined): Fields | undefined {
  if (!/^application\/json\b/i.test(contentType ?? '')) return undefined
  try {
    const value: unknown = JSON.parse(body.toString('utf8'))
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined
  } catch {
    return undefined
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
