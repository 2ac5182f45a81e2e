import { inspect } from 'node:util'

/**
 * Replaces every secret in a text, also JSON-escaped, percent-encoded, in hex, or in base64 at any offset, by `***`.
 *
 * @param secrets empty ones are ignored
 */
export function scrub(text: string, secrets: readonly string[]): string {
  const forms = new Set(secrets.filter((secret) => secret !== '').flatMap(formsOf))
  // Longest first: a short form replaced inside a longer one would leave the rest of it readable.
  return [...forms].sort((a, b) => b.length - a.length).reduce((rest, form) => rest.replaceAll(form, '***'), text)
}

/** Shorter encodings, of secrets of two bytes, would match ordinary text. */
const SHORTEST_ENCODED_FORM = 4

function formsOf(secret: string): string[] {
  const bytes = Buffer.from(secret)
  const hex = bytes.toString('hex')
  // Through the bytes: encodeURIComponent throws on a lone surrogate.
  const percent = [encodeURIComponent(bytes.toString()), new URLSearchParams({ '': secret }).toString().slice(1)]
  const encoded = [
    JSON.stringify(secret).slice(1, -1),
    ...percent,
    ...percent.map((form) => form.replace(/%../g, (byte) => byte.toLowerCase())),
    hex,
    hex.toUpperCase(),
    bytes.toString('base64'),
    ...[0, 1, 2].flatMap((offset) => base64Within(bytes, offset)),
  ]
  return [secret, ...encoded.filter((form) => form.length >= SHORTEST_ENCODED_FORM)]
}

/** The characters that the secret alone decides when it is encoded `offset` bytes (mod 3) into something longer, in both alphabets. */
function base64Within(secret: Buffer, offset: number): string[] {
  const padded = Buffer.concat([Buffer.alloc(offset), secret])
  const urlSafe = padded.toString('base64url').slice(Math.ceil((offset * 8) / 6), Math.floor((padded.length * 8) / 6))
  return [urlSafe, urlSafe.replaceAll('-', '+').replaceAll('_', '/')]
}

/** How deep an error is looked at: its cause, and what hangs on either. */
const LOOKED_AT_DEPTH = 5

/** What was thrown, as it is where it shows no secret: a class that callers know is worth more than a copy. */
export function withoutSecrets(error: unknown, secrets: readonly string[]): Error {
  try {
    const shown = inspect(error, { depth: LOOKED_AT_DEPTH })
    if (error instanceof Error && scrub(shown, secrets) === shown) return error
  } catch {
    // It cannot be looked at.
  }
  return scrubbedError(error, secrets)
}

/** What says where and why a connection failed. Other fields are left out: some of undici's errors carry the request or the reply. */
const TELLING_FIELDS = ['code', 'errno', 'syscall', 'address', 'hostname', 'port']

/**
 * A copy of an error that holds no secret: a dispatcher may quote the request it could not send. Never throws, whatever was thrown, also
 * something that cannot be looked at.
 */
export function scrubbedError(error: unknown, secrets: readonly string[], depth = 3): Error {
  try {
    return scrubbedCopy(error, secrets, depth)
  } catch {
    return new Error('a thrown error that cannot be read')
  }
}

function scrubbedCopy(error: unknown, secrets: readonly string[], depth: number): Error {
  if (!(error instanceof Error)) return new Error(typeof error === 'string' ? scrub(error, secrets) : `a thrown ${typeof error}`)
  const cause = error.cause === undefined || depth === 0 ? undefined : scrubbedError(error.cause, secrets, depth - 1)
  const copy = new Error(scrub(messageOf(error), secrets), cause === undefined ? undefined : { cause })
  copy.name = String(error.name)
  if (error.stack !== undefined) copy.stack = scrub(String(error.stack), secrets)
  for (const field of TELLING_FIELDS) {
    const value: unknown = Reflect.get(error, field)
    if (typeof value === 'number') Reflect.set(copy, field, value)
    if (typeof value === 'string') Reflect.set(copy, field, scrub(value, secrets))
  }
  return copy
}

/** Node reports a host with several addresses, none of which answered, as an AggregateError without a message. */
function messageOf(error: Error): string {
  if (error.message !== '') return String(error.message)
  const errors: unknown[] = error instanceof AggregateError ? error.errors : []
  const messages = errors.map((each) => (each instanceof Error ? each.message : typeof each))
  return messages.join('; ') || error.name
}
