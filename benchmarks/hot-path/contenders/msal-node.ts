import { ConfidentialClientApplication, type INetworkModule } from '@azure/msal-node'
import { MSAL } from '../../measure/library.ts'
import { type Contender, keyName, LIFE_MS, tokenValue } from '../contender.ts'

const HOST = 'https://login.microsoftonline.com'
const REQUEST = { scopes: ['api/.default'] }

/**
 * A client for each tenant, found in a `Map`. One client can have the tokens of all, but looks through all of them at each call: with 1,000
 * a call takes 0.8 ms of the processor, and to get 10,000, each of which is looked for first, takes minutes.
 */
export const contender: Contender = {
  name: MSAL,
  async open(keys) {
    const names = Array.from({ length: keys }, (_, index) => keyName(index))
    const clients = new Map(names.map((name, index) => [name, client(name, index)]))
    for (const [index, name] of names.entries()) {
      const got = await clients.get(name)?.acquireTokenByClientCredential(REQUEST)
      if (got?.accessToken !== tokenValue(index)) throw new Error('no token')
    }
    const only = clients.get(keyName(0)) as ConfidentialClientApplication
    const of = (index: number) => clients.get(names[index] as string) as ConfidentialClientApplication
    return {
      ways: {
        'acquireTokenByClientCredential()': { async: () => only.acquireTokenByClientCredential(REQUEST) },
        'acquireTokenByClientCredential() of a key': { async: (index) => of(index).acquireTokenByClientCredential(REQUEST) },
      },
    }
  },
}

function client(tenant: string, index: number): ConfidentialClientApplication {
  const authority = `${HOST}/${tenant}`
  return new ConfidentialClientApplication({
    auth: { clientId: 'bench', clientSecret: 'secret', authority },
    system: { networkClient: network(authority, tokenValue(index)) },
  })
}

/** An identity provider that gives out one token. */
function network(authority: string, token: string): INetworkModule {
  return {
    async sendGetRequestAsync(url: string) {
      const body = url.includes('openid-configuration')
        ? {
            issuer: `${authority}/v2.0`,
            authorization_endpoint: `${authority}/authorize`,
            token_endpoint: `${authority}/token`,
            jwks_uri: `${authority}/keys`,
          }
        : { tenant_discovery_endpoint: `${authority}/v2.0/.well-known/openid-configuration`, metadata: [] }
      return { status: 200, headers: {}, body }
    },
    async sendPostRequestAsync() {
      return { status: 200, headers: {}, body: { token_type: 'Bearer', expires_in: LIFE_MS / 1_000, access_token: token } }
    },
  } as unknown as INetworkModule
}
