/**
 * The refusals of the OAuth endpoints. The codes are the platform's: those for authorisation codes from its documentation, those for refresh
 * tokens from its command-line client. The texts are in its manner, not its words: no program should read them.
 */
const REFUSALS = {
  20001: ['invalid_request', 'The request is missing a required parameter.'],
  20002: ['invalid_client', 'The client secret is invalid.'],
  20003: ['invalid_grant', 'The authorization code is not found. Please note that an authorization code can only be used once.'],
  20004: ['invalid_grant', 'The authorization code has expired.'],
  20024: ['invalid_grant', 'The provided authorization code or refresh token does not match the provided client ID.'],
  20026: ['invalid_grant', 'The refresh token passed is invalid. Please check the value.'],
  20036: ['unsupported_grant_type', 'The specified grant_type is not supported.'],
  20037: ['invalid_grant', 'The refresh token passed has expired.'],
  20048: ['invalid_client', 'The specified app does not exist.'],
  20064: ['invalid_grant', 'The refresh token has been revoked.'],
  20065: ['invalid_grant', 'The authorization code has been used. Please note that an authorization code can only be used once.'],
  20071: ['invalid_grant', 'The provided redirect URI does not match the one used during authorization.'],
  20073: ['invalid_grant', 'The refresh token has been used. Please note that a refresh token can only be used once.'],
} as const satisfies Record<number, readonly [error: string, description: string]>

export type OauthCode = keyof typeof REFUSALS

/** The body of a refusal. */
export function oauthRefusal(code: OauthCode): { readonly code: OauthCode; readonly error: string; readonly error_description: string } {
  const [error, error_description] = REFUSALS[code]
  return { code, error, error_description }
}
