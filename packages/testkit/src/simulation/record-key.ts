/** The key under which a store keeps what a handle calls `key`: the managers of a world have the default namespace. */
export function recordKey(key: string): string {
  return `tokenwell/${key}`
}
