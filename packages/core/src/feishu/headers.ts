/**
 * HTTP headers as frameworks hand them over: Node's `IncomingHttpHeaders`, WHATWG `Headers`, a `Map`, an array of pairs,
 * or a plain object whose keys are in any case.
 */
export type AnyHeaders =
  | Iterable<readonly [string, string | readonly string[] | undefined]>
  | { get(name: string): string | null | undefined }
  | Readonly<Record<string, string | readonly string[] | undefined>>

/**
 * The value of one header; the first one when it was sent several times, `undefined` when it was not.
 *
 * @param name in any case
 */
export function header(headers: AnyHeaders | null | undefined, name: string): string | undefined {
  const wanted = name.toLowerCase()
  for (const entry of entriesOf(headers, wanted)) {
    if (!Array.isArray(entry)) continue
    const [key, value]: unknown[] = entry
    if (typeof key !== 'string' || key.toLowerCase() !== wanted) continue
    const first: unknown = Array.isArray(value) ? value[0] : value
    if (typeof first === 'string') return first
  }
  return undefined
}

function entriesOf(headers: AnyHeaders | null | undefined, wanted: string): Iterable<unknown> {
  if (typeof headers !== 'object' || headers === null) return []
  // Iterable comes before `get`: a Map's `get` would take case into account.
  if (Symbol.iterator in headers) return headers
  if ('get' in headers && typeof headers.get === 'function') return [[wanted, headers.get(wanted)]]
  return Object.entries(headers)
}
