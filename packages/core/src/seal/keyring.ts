import { createSecretKey, type KeyObject } from 'node:crypto'
import { checkObject, describe } from '../options.ts'
import { isSealed, keyIdOf, open, type Place, seal } from './envelope.ts'

/** Encryption of what is stored, with AES-256-GCM. The same in every process, but for the moments in which it is being changed. */
export interface EncryptionOptions {
  /**
   * Keys by their ids, one to ten: each 32 bytes, as bytes or as base64 text. Every one of them opens values. An id has 1 to 32 letters,
   * digits, `_` and `-`; it is stored with each value.
   */
  readonly keys: Readonly<Record<string, string | Uint8Array>>
  /** The id of the key that seals. Without it nothing is sealed: the first roll, in which every process gets to know the keys. */
  readonly sealWith?: string
  /**
   * Whether values that were stored in clear are still read. Default: `false` with `sealWith`, else `true`. Whoever can write to the store
   * can plant a clear value while it is.
   */
  readonly allowClear?: boolean
}

/** What is done to values on their way into the store and out of it. */
export interface Sealing {
  /** The value as it is to be stored. */
  seal(value: string, place: Place): string
  /** The value that was stored, or why it cannot be read. */
  open(stored: string, place: Place): { readonly value: string } | { readonly unreadable: Unreadable }
}

/** Of a process without keys. What others have sealed is not a token, whatever it looks like. */
export const IN_CLEAR: Sealing = {
  seal: (value) => value,
  open: (stored) => (isSealed(stored) ? { unreadable: 'sealed with an unknown key' } : { value: stored }),
}

/** Why a stored value cannot be read. */
export type Unreadable = 'in clear' | 'sealed with an unknown key' | 'changed, moved or sealed with another key of the same id'

const KEY_BYTES = 32
const MOST_KEYS = 10

/** The keys of one process: what it seals with, and what it opens. Never shows a key. */
export class Keyring implements Sealing {
  readonly #keys = new Map<string, KeyObject>()
  readonly #sealWith: string | undefined
  readonly #allowClear: boolean

  /** @throws TypeError for an option that is missing, out of range, or contradicts another; it quotes no key */
  constructor(options: EncryptionOptions) {
    checkObject(options, 'encryption', ['keys', 'sealWith', 'allowClear'])
    const { keys, sealWith, allowClear = sealWith === undefined } = options
    if (typeof keys !== 'object' || keys === null || Array.isArray(keys)) {
      throw new TypeError(`encryption.keys: expected an object of keys by their ids, got ${describe(keys)}`)
    }
    const ids = Object.keys(keys)
    if (ids.length === 0 || ids.length > MOST_KEYS) {
      throw new TypeError(`encryption.keys: expected 1 to ${MOST_KEYS} keys, got ${ids.length}`)
    }
    for (const id of ids) {
      if (!/^[\w-]{1,32}$/.test(id)) {
        throw new TypeError(`encryption.keys: expected ids of 1 to 32 letters, digits, _ and -, got ${describe(id)}`)
      }
      this.#keys.set(id, secretKey(keys[id], id))
    }
    if (sealWith !== undefined && !(typeof sealWith === 'string' && this.#keys.has(sealWith))) {
      throw new TypeError(`encryption.sealWith: expected the id of one of encryption.keys (${ids.join(', ')}), got ${describe(sealWith)}`)
    }
    if (typeof allowClear !== 'boolean') {
      throw new TypeError(`encryption.allowClear: expected true or false, got ${describe(allowClear)}`)
    }
    if (sealWith === undefined && !allowClear) {
      throw new TypeError(
        'encryption: allowClear false contradicts the missing sealWith: what this process stores in clear could not be read',
      )
    }
    this.#sealWith = sealWith
    this.#allowClear = allowClear
  }

  seal(value: string, place: Place): string {
    if (this.#sealWith === undefined) return value
    return seal(value, this.#sealWith, this.#keys.get(this.#sealWith) as KeyObject, place) // It is one of the keys: checked above.
  }

  open(stored: string, place: Place): { readonly value: string } | { readonly unreadable: Unreadable } {
    if (!isSealed(stored)) return this.#allowClear ? { value: stored } : { unreadable: 'in clear' }
    const key = this.#keys.get(keyIdOf(stored))
    if (key === undefined) return { unreadable: 'sealed with an unknown key' }
    const value = open(stored, key, place)
    return value === undefined ? { unreadable: 'changed, moved or sealed with another key of the same id' } : { value }
  }
}

function secretKey(given: unknown, id: string): KeyObject {
  const bytes = typeof given === 'string' ? decode(given) : given
  if (bytes instanceof Uint8Array && bytes.length === KEY_BYTES) return createSecretKey(bytes)
  const got =
    bytes instanceof Uint8Array ? `${bytes.length} bytes` : typeof given === 'string' ? 'text that is not base64' : describe(given)
  throw new TypeError(
    `encryption.keys.${id}: expected ${KEY_BYTES} bytes, as a Uint8Array or as base64 (openssl rand -base64 32), got ${got}`,
  )
}

function decode(text: string): Uint8Array | undefined {
  const plain = text.trim().replaceAll('-', '+').replaceAll('_', '/').replace(/=+$/, '')
  const bytes = Buffer.from(plain, 'base64')
  return bytes.toString('base64').replace(/=+$/, '') === plain ? bytes : undefined
}
