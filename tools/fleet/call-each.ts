import { isTokenError, type TokenHandle } from '@tokenwell/core'
import { machineNow } from './entry.ts'
import type { TokensReport } from './orders.ts'

/** One caller of each handle, all in one turn of the event loop. */
export async function callEach(handles: readonly TokenHandle[], options: { readonly timeoutMs?: number }): Promise<TokensReport> {
  const askedAt = machineNow()
  const results = await Promise.all(
    handles.map((handle) =>
      handle.get(options).then(
        ({ value, version }) => ({ value, version }),
        (error: unknown) => ({
          code: isTokenError(error) ? error.code : 'not a TokenError',
          message: error instanceof Error ? error.message : String(error),
        }),
      ),
    ),
  )
  return { results, longestMs: machineNow() - askedAt }
}
