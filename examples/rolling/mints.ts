import type { RequestRecord } from '@tokenwell/feishu-simulator'

/** What the platform was asked for, credential by credential. */
export interface Mints {
  /** How many tokens each credential had, by its name. */
  readonly tokens: Readonly<Record<string, number>>
  /** Those that nobody needed: the token before had more than half of its life left, as its holder counts it, or another was being minted at the same moment. */
  readonly extra: readonly string[]
}

/** From a grant until the platform has the request, on a busy machine, milliseconds. */
const WAY_MS = 500

/** `lifeMs`: of every token. */
export function mintsIn(requests: readonly RequestRecord[], lifeMs: number): Mints {
  const mints = Map.groupBy(
    requests.filter(({ endpoint }) => endpoint === 'app_access_token' || endpoint === 'tenant_access_token'),
    ({ tenantKey }) => tenantKey ?? 'app',
  )
  return {
    tokens: Object.fromEntries([...mints].map(([name, its]) => [name, its.length])),
    extra: [...mints].flatMap(([name, its]) => extraIn(its, lifeMs).map((when) => `${name}: ${when}`)),
  }
}

function extraIn(mints: readonly RequestRecord[], lifeMs: number): string[] {
  return mints.flatMap((mint, index) => {
    const before = mints[index - 1]
    if (before === undefined) return []
    // One that has not ended is still under way.
    const endedAtMs = before.endedAtMs ?? Number.POSITIVE_INFINITY
    const tookMs = endedAtMs - before.receivedAtMs
    // The store counts from when the lease was granted, to be on the safe side, and half of what was left when the token arrived.
    const dueAtMs = before.receivedAtMs + (lifeMs - tookMs) / 2 - WAY_MS
    return mint.receivedAtMs >= Math.max(dueAtMs, endedAtMs)
      ? []
      : [`${Math.round(mint.receivedAtMs - before.receivedAtMs)} ms after one that ended with ${before.end}`]
  })
}
