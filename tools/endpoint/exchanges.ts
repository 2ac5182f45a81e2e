import assert from 'node:assert/strict'
import type { Endpoint } from './endpoint.ts'

/** Something that the platform sends, and what has to come of it. */
export interface Exchange {
  readonly says: string
  /** @throws AssertionError when something else came of it */
  readonly hold: (endpoint: Endpoint) => Promise<void>
}

/** The whole conversation of a platform with an event endpoint of `@tokenwell/example-app`, in this order. */
export const exchanges: readonly Exchange[] = [
  {
    says: 'answers the challenge that checks its URL',
    async hold({ platform, appId }) {
      const { status, acknowledged } = await platform.pushChallenge(appId)
      assert.deepEqual({ status, acknowledged }, { status: 200, acknowledged: true })
    },
  },
  {
    says: 'answers 401 to a ticket whose signature is wrong, and takes nothing in',
    async hold({ platform, appId, eventUrl }) {
      const { headers, body } = platform.buildEvent(appId, { type: 'app_ticket', app_ticket: 'forged' })
      const forged = { ...headers, 'X-Lark-Signature': '0'.repeat(64) }
      const reply = await fetch(eventUrl, { method: 'POST', headers: forged, body })
      assert.equal(reply.status, 401)
      assert.match(await reply.text(), /"error":"the signature is missing or wrong/)
    },
  },
  {
    says: 'takes the app ticket in',
    async hold({ platform, appId }) {
      const { status, acknowledged } = await platform.pushTicket(appId)
      assert.deepEqual({ status, acknowledged }, { status: 200, acknowledged: true })
    },
  },
  {
    says: 'hands any other event to the app, which has a token from that ticket',
    async hold({ platform, appId }) {
      const { status } = await platform.pushEvent(appId, { type: 'app_open', tenant_key: 'tenant-1' })
      assert.equal(status, 200)
      const seen = platform.requests.map(({ endpoint, tenantKey, code }) => ({ endpoint, tenantKey, code }))
      assert.deepEqual(seen, [
        { endpoint: 'app_access_token', tenantKey: undefined, code: 0 },
        { endpoint: 'tenant_access_token', tenantKey: 'tenant-1', code: 0 },
        { endpoint: 'api', tenantKey: 'tenant-1', code: 0 },
      ])
    },
  },
  {
    says: 'answers 500 when the app fails, so that the event is delivered again',
    async hold({ platform, appId }) {
      platform.disableTenant(appId, 'tenant-2')
      const { status, delivery } = await platform.pushEvent(appId, { type: 'app_open', tenant_key: 'tenant-2' })
      assert.deepEqual({ status, state: delivery.state }, { status: 500, state: 'pending' })
    },
  },
]
