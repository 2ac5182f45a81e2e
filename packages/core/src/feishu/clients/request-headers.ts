import type { Dispatcher } from '../http.ts'

type Headers = Dispatcher.DispatchOptions['headers']

/** Headers in any form that undici takes, as its flat list of names and values. A form that can be read only once is read here. */
export function headerList(headers: Headers): string[] {
  if (Array.isArray(headers)) return headers
  if (headers === null || headers === undefined) return []
  const pairs = Symbol.iterator in headers ? [...(headers as Iterable<readonly [string, unknown]>)] : Object.entries(headers)
  // A value may be a list, in this form as in the others; the types of undici know it of the others alone.
  return pairs.flatMap(([name, value]) => (value === undefined ? [] : [name, value])) as string[]
}

export function hasHeader(list: readonly string[], wanted: string): boolean {
  return list.some((name, index) => index % 2 === 0 && name.toLowerCase() === wanted)
}
