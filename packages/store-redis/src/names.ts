/** Nothing in it is to be escaped: said quicker than by looking for each of what is. */
const PLAIN = /^[\w/.-]*$/

/** How records and the channel of a store are named in Redis. */
export interface Names {
  /** The channel of announcements. */
  readonly channel: string
  /** Name of a key's record, as the client is told it: the client puts its own `keyPrefix` in front. */
  record(key: string): string
  /** The key of a record's full name, `keyPrefix` of the client included; undefined for a name of another store. */
  keyOf(record: string): string | undefined
}

/**
 * A record is `{prefix:key}`: in braces, so that all of its name decides its slot in a cluster. A brace in a key would end that part, a
 * colon could make two prefixes meet, and half a surrogate pair has no UTF-8: they are escaped, and so is the escape.
 */
export function names(prefix: string, clientPrefix: string): Names {
  const start = `{${escaped(prefix, /[%{}]/g)}:`
  return {
    // Redis knows nothing of the client's prefix in a channel. With it, clients that see different records hear different channels.
    channel: `${clientPrefix}${prefix}:changes`,
    record: (key) => `${start}${PLAIN.test(key) ? key : escaped(key, /[%{}:]|\p{Surrogate}/gu)}}`,
    keyOf(record) {
      const full = clientPrefix + start
      if (!record.startsWith(full) || !record.endsWith('}')) return undefined
      return record.slice(full.length, -1).replace(/%([0-9a-f]{4})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))
    },
  }
}

/** Four digits: half a surrogate pair needs them. */
function escaped(text: string, special: RegExp): string {
  return text.replace(special, (unit) => `%${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
