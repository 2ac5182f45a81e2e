import { ConfidentialClientApplication, type INetworkModule } from '@azure/msal-node'
import { type Contender, LIFE_MS, tokenValue } from '../contender.ts'

const AUTHORITY = 'https://login.microsoftonline.com/bench'

/** An identity provider that gives out one token. */
const network = {
  async sendGetRequestAsync(url: string) {
    const body = url.includes('openid-configuration')
      ? {
          issuer: `${AUTHORITY}/v2.0`,
          authorization_endpoint: `${AUTHORITY}/authorize`,
          token_endpoint: `${AUTHORITY}/token`,
          jwks_uri: `${AUTHORITY}/keys`,
        }
      : { tenant_discovery_endpoint: `${AUTHORITY}/v2.0/.well-known/openid-configuration`, metadata: [] }
    return { status: 200, headers: {}, body }
  },
  async sendPostRequestAsync() {
    return { status: 200, headers: {}, body: { token_type: 'Bearer', expires_in: LIFE_MS / 1_000, access_token: tokenValue(0) } }
  },
} as unknown as INetworkModule

export const contender: Contender = {
  name: 'msal-node 7.2',
  async open() {
    const client = new ConfidentialClientApplication({
      auth: { clientId: 'bench', clientSecret: 'secret', authority: AUTHORITY },
      system: { networkClient: network },
    })
    const get = () => client.acquireTokenByClientCredential({ scopes: ['api/.default'] })
    if ((await get())?.accessToken !== tokenValue(0)) throw new Error('no token')
    return { ways: { 'acquireTokenByClientCredential()': { async: get } } }
  },
}
