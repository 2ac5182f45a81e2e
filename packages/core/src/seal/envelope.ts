import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from 'node:crypto'

/** A sealed value: this mark, the id of its key, and nonce, ciphertext and tag in base64url, with dots between. */
const MARK = 'tokenwell1'
const CIPHER = 'aes-256-gcm'
/** 96 bits, drawn anew for each value: after 2^32 values under one key two of them alike are still a chance of one in 2^33. */
const NONCE_BYTES = 12
const TAG_BYTES = 16

/** Where a value belongs. It is authenticated with the value: one moved to another record, or another version, cannot be opened. */
export interface Place {
  /** The record's key, with its namespace. */
  readonly key: string
  readonly version: number
}

/** Whether a stored value claims to be sealed. Nothing that an upstream gives out begins like this. */
export function isSealed(value: string): boolean {
  return value.startsWith(`${MARK}.`)
}

/** The id of the key that a value claims to be sealed with. */
export function keyIdOf(sealed: string): string {
  return sealed.split('.', 2)[1] ?? ''
}

export function seal(value: string, keyId: string, key: KeyObject, place: Place): string {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv(CIPHER, key, nonce).setAAD(associated(keyId, place))
  const bytes = Buffer.concat([nonce, cipher.update(value, 'utf8'), cipher.final(), cipher.getAuthTag()])
  return `${MARK}.${keyId}.${bytes.toString('base64url')}`
}

/** The value; undefined when it was not sealed with this key for this place, or was changed since. */
export function open(sealed: string, key: KeyObject, place: Place): string | undefined {
  const [, keyId = '', text = '', ...more] = sealed.split('.')
  const bytes = Buffer.from(text, 'base64url')
  // What a decoder skips would let one value be spelled in many ways.
  if (more.length > 0 || bytes.length < NONCE_BYTES + TAG_BYTES || bytes.toString('base64url') !== text) return undefined
  try {
    const decipher = createDecipheriv(CIPHER, key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES })
    decipher.setAAD(associated(keyId, place)).setAuthTag(bytes.subarray(-TAG_BYTES))
    return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]).toString('utf8')
  } catch {
    return undefined
  }
}

/** A list in JSON has one reading: no two places look alike, whatever their keys contain. */
function associated(keyId: string, { key, version }: Place): Buffer {
  return Buffer.from(JSON.stringify([MARK, keyId, key, version]))
}
