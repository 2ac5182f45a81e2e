/** The credentials of an app, as their keys name them: `feishu/<domain>/<app id>/<kind>`, with the name of a tenant or user after that. */
const KINDS: ReadonlySet<string> = new Set([
  'app-ticket',
  'app-access-token',
  'tenant-access-token',
  'custom-app-tokens',
  'jsapi-ticket',
  'user-access-token',
])

/** What kind of credential a key stands for: one of a few words, whoever's it is. `other` for a key of your own. */
export function credentialKind(key: string): string {
  const kind = /^feishu\/[^/]+\/[^/]+\/([^/]+)/.exec(key)?.[1]
  return kind !== undefined && KINDS.has(kind) ? kind : 'other'
}
