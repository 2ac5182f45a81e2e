import { describe, expect, test } from 'vitest'
import { buildAppAccessTokenRequest, buildAppTicketResendRequest } from '../../src/feishu/requests.ts'

describe('requests', () => {
  test('a mint is the documented example, byte for byte', () => {
    const request = buildAppAccessTokenRequest({ appId: 'cli_slkdjalasdkjasd', appSecret: 'dskLLdkasdjlasdKK', appTicket: 'dskLLdkasd' })
    expect(request.path).toBe('/open-apis/auth/v3/app_access_token')
    expect(JSON.stringify(request.body)).toBe('{"app_id":"cli_slkdjalasdkjasd","app_secret":"dskLLdkasdjlasdKK","app_ticket":"dskLLdkasd"}')
  })

  test('a resend names the app and sends no ticket', () => {
    expect(buildAppTicketResendRequest({ appId: 'cli_a', appSecret: 's' })).toEqual({
      path: '/open-apis/auth/v3/app_ticket/resend',
      body: { app_id: 'cli_a', app_secret: 's' },
    })
  })
})
