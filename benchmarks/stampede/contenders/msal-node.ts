import { ConfidentialClientApplication, DistributedCachePlugin, type INetworkModule, type NetworkRequestOptions } from '@azure/msal-node'
import { Redis } from 'ioredis'
import { MSAL } from '../../measure/library.ts'
import { type Contender, SECRET } from '../contender.ts'

/** It takes https alone, so its requests for a token are led to the upstream; what they carry is its own. */
const AUTHORITY = 'https://login.microsoftonline.com/bench'

/** What it would ask once. */
const METADATA = {
  issuer: `${AUTHORITY}/v2.0`,
  authorization_endpoint: `${AUTHORITY}/authorize`,
  token_endpoint: `${AUTHORITY}/token`,
  jwks_uri: `${AUTHORITY}/keys`,
}

export const contender: Contender = {
  name: MSAL,
  open({ redisUrl, upstreamUrl }) {
    const redis = new Redis(redisUrl)
    const cacheClient = {
      get: async (key: string) => (await redis.get(key)) ?? '',
      set: (key: string, value: string) => redis.set(key, value),
    }
    return (clientId) => {
      const partition = async () => `msal:${clientId}`
      const client = new ConfidentialClientApplication({
        auth: { clientId, clientSecret: SECRET, authority: AUTHORITY, authorityMetadata: JSON.stringify(METADATA) },
        cache: { cachePlugin: new DistributedCachePlugin(cacheClient, { getKey: partition, extractKey: partition }) },
        system: { networkClient: networkTo(upstreamUrl) },
      })
      return async () => {
        const result = await client.acquireTokenByClientCredential({ scopes: ['api/.default'] })
        if (result === null) throw new Error('no token')
        return result.accessToken
      }
    }
  },
}

/** As its own, which sends with `fetch`. */
function networkTo(upstreamUrl: string): INetworkModule {
  return {
    async sendGetRequestAsync(url) {
      throw new Error(`all that is known of the authority was given, and yet it asks ${url}`)
    },
    async sendPostRequestAsync<T>(_url: string, { headers = {}, body = '' }: NetworkRequestOptions = {}) {
      const reply = await fetch(upstreamUrl, { method: 'POST', headers, body })
      return { status: reply.status, headers: Object.fromEntries(reply.headers), body: (await reply.json()) as T }
    },
  }
}
