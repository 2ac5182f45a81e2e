/** The managers of a world have the default namespace. */
const PREFIX = 'tokenwell/'

/** The key under which a store keeps what a handle calls `key`. */
export function recordKey(key: string): string {
  return `${PREFIX}${key}`
}

/** The other way round. */
export function handleKey(key: string): string {
  return key.slice(PREFIX.length)
}
