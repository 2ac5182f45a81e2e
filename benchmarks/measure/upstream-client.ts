import { type Served, startServed } from './served.ts'
import type { UpstreamAddress, UpstreamOrder } from './upstream.ts'

/** Asked for a client, it answers how many requests for its token there were. */
export type Upstream = Served<UpstreamAddress, string, number>

export function startUpstream(order: UpstreamOrder): Promise<Upstream> {
  return startServed(new URL('upstream.ts', import.meta.url), order)
}

/** What a user would write to get a token. */
export async function requestToken(
  url: string,
  clientId: string,
  signal?: AbortSignal,
): Promise<{ readonly value: string; readonly expiresInMs: number }> {
  const body = new URLSearchParams({ grant_type: 'client_credentials', client_id: clientId, client_secret: 'secret' })
  const reply = await fetch(url, { method: 'POST', body, ...(signal && { signal }) })
  const { access_token, expires_in } = (await reply.json()) as { readonly access_token: string; readonly expires_in: number }
  return { value: access_token, expiresInMs: expires_in * 1_000 }
}
