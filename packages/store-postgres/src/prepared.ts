import { createHash } from 'node:crypto'
import { codeOf } from './errors.ts'
import type { PostgresPoolClient, PostgresResult } from './pool.ts'

/**
 * What a name is answered with that the session does not know, or no longer; and one that it knows already, from somebody who had the
 * session before.
 */
const OTHERS_USE_THE_SESSION = new Set(['26000', '42P05'])

/**
 * Clients by whether the session they speak to is theirs alone. A pooler in between gives out a process number of its own, and each
 * transaction may have another session.
 */
const isAlone = new WeakMap<PostgresPoolClient, boolean>()

/** Has one statement `select …` without a `from` carried out, prepared by name where that will be found again. */
export async function carriedOut(client: PostgresPoolClient, text: string, values: readonly unknown[]): Promise<PostgresResult> {
  if (isAlone.get(client) === true) {
    try {
      return await client.query({ name: nameOf(text), text, values })
    } catch (error) {
      // Either way nothing was carried out.
      if (!OTHERS_USE_THE_SESSION.has(codeOf(error) ?? '')) throw error
      isAlone.set(client, false)
    }
  }
  if (isAlone.has(client)) return client.query({ text, values })
  const result = await client.query({ text: `${text}, pg_backend_pid()::text as process`, values })
  const [row] = result.rows as readonly { readonly process: string }[]
  isAlone.set(client, row?.process === String(client.processID))
  return result
}

const names = new Map<string, string>()

/** The same for every store, and every copy of this package, that sends the same. */
function nameOf(text: string): string {
  const known = names.get(text)
  if (known !== undefined) return known
  const name = `tokenwell ${createHash('sha256').update(text).digest('hex').slice(0, 32)}`
  names.set(text, name)
  return name
}
