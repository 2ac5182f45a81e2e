import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isTokenError } from '../../src/errors.ts'
import { decodeFailure } from '../../src/failure.ts'
import { readEvent } from '../../src/feishu/event.ts'
import * as replies from '../../src/feishu/replies.ts'
import { decodeLogin } from '../../src/feishu/user-login.ts'
import { encrypt, sign, ticketEvent } from '../feishu-wire/pushed.ts'
import { Coverage } from './support/coverage.ts'
import { PATIENCE_MS, runs } from './support/runs.ts'

const rules = { appId: 'cli_slkdjalasdkjasd', verificationTokens: ['41a9425ea7df4536a7623e38fa321bae'], encryptKeys: [] }
const sealed = { ...rules, encryptKeys: ['key'] }

/** Everything of core that reads bytes from outside. None of it throws anything but a TokenError. */
const readers: readonly ((bytes: Buffer) => unknown)[] = [
  (body) => readEvent({ headers: {}, body }, rules),
  (body) => readEvent({ headers: sign(body, 'key'), body }, sealed),
  (event) => {
    const body = Buffer.from(JSON.stringify({ encrypt: encrypt(event, 'key') }))
    return readEvent({ headers: sign(body, 'key'), body }, sealed)
  },
  ...[
    replies.parseAppAccessTokenReply,
    replies.parseTenantAccessTokenReply,
    replies.parseCustomAppTokensReply,
    replies.parseJsapiTicketReply,
    replies.parseAppTicketResendReply,
    (reply: replies.UpstreamReply, secrets: readonly string[]) => replies.parseUserTokenReply('refreshing', reply, secrets),
  ].map((parse) => (body: Buffer) => parse({ status: 200, headers: {}, body }, ['secret'])),
  (bytes) => decodeLogin(bytes.toString()),
  (bytes) => decodeFailure(bytes.toString(), 1),
]

const seeds = [
  ticketEvent(),
  {
    schema: '2.0',
    header: { event_id: 'e', create_time: '1', token: rules.verificationTokens[0], app_id: rules.appId, event_type: 'app_ticket' },
  },
  { type: 'url_verification', token: rules.verificationTokens[0], challenge: 'c' },
  { code: 0, msg: 'ok', app_access_token: 'a', tenant_access_token: 't', expire: 7200, data: { ticket: 'j', expire_in: 7200 } },
  { code: 0, access_token: 'u', expires_in: 7200, refresh_token: 'r', refresh_token_expires_in: 604_800, scope: 's' },
  { code: 99991400, error_description: 'slow down' },
  { access: 'a', refresh: 'r', outlivesMs: 1, scope: 's' },
  { code: 'FETCH_FAILED', message: 'm', retryable: true, upstream: { code: 1, msg: 'm', logId: 'l', httpStatus: 200 } },
].map((seed) => Buffer.from(JSON.stringify(seed)))

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
  'inputs that are grown by the code they reach find nothing but TokenErrors',
  async () => {
    const coverage = new Coverage((url) => url.includes('/core/src/'))
    const corpus: Buffer[] = []
    const feed = async (input: Buffer) => {
      for (const read of readers) {
        try {
          read(input)
        } catch (error) {
          // What an input has grown from is not in the seed of the run: here it is whole.
          if (!isTokenError(error)) throw new Error(`found by ${input.toString('base64')}`, { cause: error })
        }
      }
      if ((await coverage.news()) > 0) corpus.push(input)
    }
    await coverage.start()
    try {
      for (const seed of seeds) await feed(seed)
      const planted = coverage.blocks
      await fc.assert(
        fc.asyncProperty(fc.nat(), steps, async (parent, changes) => {
          // What was found last is worth more changes than what was there at first.
          const rank = Math.floor(corpus.length * Math.sqrt((parent % 1_000) / 1_000))
          await feed(changes.reduce((bytes, step) => mutate(bytes, step, corpus), corpus[rank] ?? Buffer.from('{}')))
        }),
        { ...runs(300), endOnFailure: true },
      )
      expect(coverage.blocks).toBeGreaterThan(planted)
      console.log(`${planted} blocks by the seeds, ${coverage.blocks} by ${corpus.length} inputs that were grown from them`)
    } finally {
      await coverage.stop()
    }
  },
  PATIENCE_MS,
)
