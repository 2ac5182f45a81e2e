import { TextEncoder } from 'node:util'

/** PostgreSQL cuts longer names off. */
const LONGEST = 63

/** How the schema of a store is written in a statement. */
export type Names = {
  /** The schema, quoted as an identifier. */
  readonly schema: string
  /** The channel of announcements, which has the name of the schema, quoted as a string. */
  readonly channel: string
}

export function names(schema: string): Names {
  return { schema: quotedIdentifier(schema), channel: quotedString(schema) }
}

export function isName(name: unknown): name is string {
  return (
    typeof name === 'string' &&
    name !== '' &&
    name.isWellFormed() &&
    !name.includes('\0') &&
    new TextEncoder().encode(name).length <= LONGEST
  )
}

export function quotedIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** A backslash means something or not by a setting of the server, unless the string says that it does. */
function quotedString(text: string): string {
  return ` E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
}
