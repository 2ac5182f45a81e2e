import { TokenError } from '@tokenwell/core'
import { expect, test } from 'vitest'
import { randomSecret } from '../../../tools/leak-search/index.ts'

test('an error says in JSON what it says, where logs are written as that, and nothing of its cause', () => {
  const cause = new Error(randomSecret('cause'))
  const upstream = { httpStatus: 400, code: 10014, msg: 'app secret invalid', logId: 'log-1' }
  const error = new TokenError('UPSTREAM_REFUSED', 'The platform refused.', { retryable: false, retryAfterMs: 500, upstream, cause })
  expect(JSON.parse(JSON.stringify({ failure: error }))).toEqual({
    failure: {
      name: 'TokenError',
      code: 'UPSTREAM_REFUSED',
      message: 'The platform refused.',
      retryable: false,
      retryAfterMs: 500,
      upstream,
    },
  })
  const plain = new TokenError('CLOSED', 'Closed.', { retryable: false })
  expect(JSON.parse(JSON.stringify(plain))).toEqual({ name: 'TokenError', code: 'CLOSED', message: 'Closed.', retryable: false })
})
