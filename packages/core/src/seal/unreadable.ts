import { TokenError } from '../errors.ts'
import type { Unreadable } from './keyring.ts'

export function recordUnreadable(key: string, why: Unreadable): TokenError {
  const message =
    `What the store has for "${key}" cannot be read: it is ${why}. Give every process the same encryption.keys; a new key is known ` +
    'everywhere before any process seals with it, and values in clear are read only with encryption.allowClear.'
  return new TokenError('RECORD_UNREADABLE', message, { retryable: false })
}
