import { randomBytes } from 'node:crypto'

/** `'short'`: the prefix and 40 characters; `'jwt'`: about 4,000 characters without a prefix, as newer tokens are. */
export type TokenForm = 'short' | 'jwt'

/** A new random token. */
export function tokenValue(prefix: string, form: TokenForm): string {
  if (form === 'short') return `${prefix}${randomBytes(20).toString('hex')}`
  const header = Buffer.from('{"alg":"ES256","typ":"JWT"}').toString('base64url')
  return `${header}.${randomBytes(2880).toString('base64url')}.${randomBytes(64).toString('base64url')}`
}
