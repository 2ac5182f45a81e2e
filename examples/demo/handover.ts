import type { Entry } from '@tokenwell/fleet'

/** How one token came to a fleet. */
export interface Handover {
  /** The process that asked the platform. */
  readonly by: string
  /** How long the platform took, milliseconds. */
  readonly requestMs: number
  /** Every other process that took the token over, and how many milliseconds after its publication was sent, in order. */
  readonly others: readonly { readonly node: string; readonly afterMs: number }[]
}

/** The first token that was published in this part of a history; the tickets are not meant. */
export function handoverIn(history: readonly Entry[]): Handover | undefined {
  const published = publicationIn(history)
  if (published === undefined) return undefined
  const { node: by, version, sentAt } = published
  const fetch = history.find((entry) => entry.kind === 'fetch' && entry.node === by && entry.status === 200)
  const adopted = history.filter(
    (entry) => entry.kind === 'event' && entry.type === 'adopted' && entry.version === version && entry.node !== by,
  )
  const first = new Map([...adopted].reverse().map(({ node, at }) => [node, at - sentAt]))
  return {
    by,
    requestMs: fetch?.kind === 'fetch' ? fetch.at - fetch.sentAt : Number.NaN,
    others: [...first].map(([node, afterMs]) => ({ node, afterMs })).sort((one, other) => one.afterMs - other.afterMs),
  }
}

/** The first accepted publication of a token. */
export function publicationIn(history: readonly Entry[]) {
  return history.find(
    (entry) =>
      entry.kind === 'store' && entry.operation === 'publish' && entry.outcome === 'accepted' && !entry.key.endsWith('/app-ticket'),
  ) as Extract<Entry, { readonly kind: 'store' }> | undefined
}
