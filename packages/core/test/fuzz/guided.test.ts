import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isTokenError } from '../../src/errors.ts'
import { decodeFailure } from '../../src/failure.ts'
import { type EventReading, readEvent } from '../../src/feishu/event.ts'
import * as replies from '../../src/feishu/replies.ts'
import { decodeLogin } from '../../src/feishu/user-login.ts'
import { encrypt, sign, ticketEvent } from '../feishu-wire/pushed.ts'
import { Coverage } from './support/coverage.ts'
import { collectGarbage, expectHarmless, PATIENCE_MS, runs } from './support/runs.ts'

/** Not registered as secrets: half of one, when a byte in the middle of it was changed, is one to whoever looks for parts. */
const made = () => randomBytes(24).toString('base64url')
const [verificationToken, encryptKey, ticket, appSecret, access, refresh] = [made(), made(), made(), made(), made(), made()]

const appId = 'cli_slkdjalasdkjasd'
const rules = { appId, verificationTokens: [verificationToken], encryptKeys: [] }
const sealed = { ...rules, encryptKeys: [encryptKey] }
const event = { ...ticketEvent(), token: verificationToken, event: { app_id: appId, app_ticket: ticket, type: 'app_ticket' } }
const login = { access, refresh, outlivesMs: 1, scope: 's' }
const failure = { code: 'FETCH_FAILED', message: 'm', retryable: true, upstream: { code: 1, msg: 'm', logId: 'l', httpStatus: 200 } }
const appReply = {
  code: 0,
  msg: 'ok',
  app_access_token: 'a',
  tenant_access_token: 't',
  expire: 7200,
  data: { ticket: 'j', expire_in: 7200 },
}
const userReply = { code: 0, access_token: 'u', expires_in: 7200, refresh_token: 'r', refresh_token_expires_in: 604_800, scope: 's' }

/** Something of core that reads bytes from outside. */
interface Reader {
  readonly read: (bytes: Buffer) => unknown
  /** What it reads when all is well. */
  readonly good: Buffer
  /** What it knows or is given, and tells nobody. */
  readonly secrets: readonly string[]
}

const json = (value: unknown) => Buffer.from(JSON.stringify(value))
const wrapped = (inner: Uint8Array) => json({ encrypt: encrypt(inner, encryptKey) })
const receive = (body: Buffer) => readEvent({ headers: sign(body, encryptKey), body }, sealed)

const ofEvents = { secrets: [verificationToken, encryptKey, ticket] }
const ofReplies = ([parse, good]: readonly [(reply: replies.UpstreamReply, secrets: readonly string[]) => unknown, object]): Reader => ({
  read: (body) => parse({ status: 200, headers: {}, body }, [appSecret]),
  good: json(good),
  secrets: [appSecret],
})

/** Everything of core that reads bytes from outside. */
const readers: readonly Reader[] = [
  { ...ofEvents, read: (body) => readEvent({ headers: {}, body }, rules), good: json(event) },
  { ...ofEvents, read: receive, good: wrapped(json(event)) },
  { ...ofEvents, read: (inner) => receive(wrapped(inner)), good: json(event) },
  ...[
    [replies.parseAppAccessTokenReply, appReply] as const,
    [replies.parseTenantAccessTokenReply, appReply] as const,
    [replies.parseCustomAppTokensReply, appReply] as const,
    [replies.parseJsapiTicketReply, appReply] as const,
    [replies.parseAppTicketResendReply, appReply] as const,
    [
      (reply: replies.UpstreamReply, secrets: readonly string[]) => replies.parseUserTokenReply('refreshing', reply, secrets),
      userReply,
    ] as const,
  ].map(ofReplies),
  { read: (bytes) => decodeLogin(bytes.toString()), good: json(login), secrets: [access, refresh] },
  // What another process has written is told as it stands.
  { read: (bytes) => decodeFailure(bytes.toString(), 1), good: json(failure), secrets: [] },
]

const seeds = [
  event,
  { schema: '2.0', header: { event_id: 'e', create_time: '1', token: verificationToken, app_id: appId, event_type: 'app_ticket' } },
  { type: 'url_verification', token: verificationToken, challenge: 'c' },
  appReply,
  userReply,
  { code: 99991400, error_description: `slow down, ${appSecret}` },
  { code: 10014, msg: `bad ${appSecret}`, error: appSecret },
  login,
  failure,
].map(json)

/** Nothing that is read keeps a process from its work for so long; milliseconds of the processor. */
const LONGEST_MS = 1_000

/** Reads an input. It comes to an end in time, and what comes of it is no more than a TokenError or a status, without a secret. */
function readHarmlessly({ read, secrets }: Reader, input: Buffer): unknown {
  const before = process.cpuUsage()
  let outcome: unknown
  try {
    outcome = read(input)
  } catch (error) {
    outcome = expectHarmless(error, secrets)
  }
  const { user, system } = process.cpuUsage(before)
  expect((user + system) / 1_000).toBeLessThan(LONGEST_MS)
  if (isTokenError(outcome)) expectHarmless(outcome, secrets)
  else if (isRefusal(outcome)) {
    expect([400, 401, 403, 413]).toContain(outcome.status)
    for (const secret of secrets) expect(outcome.reason).not.toContain(secret)
    expect(outcome.reason.length).toBeLessThan(300)
  }
  return outcome
}

function isRefusal(outcome: unknown): outcome is Extract<EventReading, { readonly kind: 'refused' }> {
  return typeof outcome === 'object' && outcome !== null && 'kind' in outcome && outcome.kind === 'refused'
}

/** Words of the formats, and numbers and characters at the edges of what they allow. */
const words = [
  ...[
    '"',
    '\\',
    '{',
    '}',
    '[',
    ']',
    ':',
    ',',
    'null',
    'true',
    '0',
    '-1',
    '1e999',
    '""',
    '{}',
    '[]',
    '"\\ud800"',
    '"\\u0000"',
    '\xff',
    '"2.0"',
  ],
  ...['"event"', '"header"', '"encrypt"', '"type"', '"app_ticket"', '"uuid"', '"ts"', '"code"', '"msg"', '"data"', '"__proto__"', '10012'],
]

type Step = readonly [what: number, at: number, other: number, word: string]
const steps = fc.array(fc.tuple(fc.nat(4), fc.nat(), fc.nat(), fc.constantFrom(...words)), { minLength: 1, maxLength: 4 })

function mutate(bytes: Buffer, [what, at, other, word]: Step, corpus: readonly Buffer[]): Buffer {
  const from = at % (bytes.length + 1)
  const to = Math.min(bytes.length, from + (other % 12))
  const [head, middle, tail] = [bytes.subarray(0, from), bytes.subarray(from, to), bytes.subarray(to)]
  if (what === 0) return Buffer.concat([head, Buffer.from(word, 'latin1'), tail])
  if (what === 1) return Buffer.concat([head, Buffer.from(word, 'latin1'), middle, tail])
  if (what === 2) return Buffer.concat([head, tail])
  if (what === 3) return Buffer.concat([head, middle, middle, tail])
  const mate = corpus[other % corpus.length] ?? bytes
  return Buffer.concat([head, mate.subarray(at % (mate.length + 1))])
}

test(
  'inputs that are grown by the code they reach find nothing but TokenErrors in time without a secret, and the next one is good',
  async () => {
    const coverage = new Coverage((url) => url.includes('/core/src/'))
    const corpus: Buffer[] = [...seeds]
    let known: readonly unknown[] = []
    /** @returns whether it has come to where nothing has been */
    const feed = async (input: Buffer): Promise<boolean> => {
      try {
        for (const reader of readers) readHarmlessly(reader, input)
        const isNew = (await coverage.news()) > 0
        for (const [index, { read, good }] of readers.entries()) expect(read(good)).toEqual(known[index])
        // What is good is no merit of the next input.
        await coverage.news()
        return isNew
      } catch (error) {
        // What an input has grown from is not in the seed of the run: here it is whole.
        throw new Error(`found by ${input.toString('base64')}`, { cause: error })
      }
    }
    // The engine counts the blocks of what it has not compiled before.
    await coverage.start()
    try {
      known = readers.map(({ read, good }) => read(good))
      expect(known.filter(isRefusal)).toEqual([])
      for (const seed of seeds) await feed(seed)
      const planted = coverage.blocks
      await fc.assert(
        fc.asyncProperty(fc.nat(), steps, async (parent, changes) => {
          // What was found last is worth more changes than what was there at first.
          const rank = Math.floor(corpus.length * Math.sqrt((parent % 1_000) / 1_000))
          const input = changes.reduce((bytes, step) => mutate(bytes, step, corpus), corpus[rank] ?? Buffer.from('{}'))
          if (await feed(input)) corpus.push(input)
        }),
        { ...runs(300), endOnFailure: true },
      )
      expect(coverage.blocks).toBeGreaterThan(planted)
      console.log(`${planted} blocks by the seeds, ${coverage.blocks} by ${corpus.length - seeds.length} inputs that were grown from them`)
    } finally {
      await coverage.stop()
    }
    expectNothingKept(corpus)
  },
  PATIENCE_MS,
)

/** Whatever is read again and again, nothing is kept of it. */
function expectNothingKept(inputs: readonly Buffer[]): void {
  const flood = (): number => {
    for (let read = 0; read < 100; read += 1) {
      for (const reader of readers) readHarmlessly(reader, Buffer.from(inputs[read % inputs.length] ?? []))
    }
    collectGarbage()
    return process.memoryUsage().heapUsed
  }
  const sizes = Array.from({ length: 5 }, flood)
  const growths = sizes.slice(1).map((size, index) => size - (sizes[index] ?? 0))
  // A hundred bytes kept of each would show in every round; what the engine compiles and caches shows in one or the other.
  expect(Math.min(...growths)).toBeLessThan(80_000)
}
