/** Regions that share no store. The platform pushes to one of them, which hands on what all of them need. */
import type { EventReply, FeishuTokens } from '@tokenwell/core/feishu'

/** For the others, in all: the platform waits 3 s for its answer. Milliseconds. */
const LONGEST_MS = 2_000

/**
 * Receives an event in this region, and hands tickets on to the endpoints of the others, as they came: each checks the signature itself. If one
 * of them does not take it in, the platform is told so: it delivers again, and who has the ticket already ignores it.
 *
 * @param others their request URLs: endpoints that hand nothing on
 * @returns what to answer the platform; any other event is in `event`, and is this region's alone
 */
export async function receiveForAll(tokens: FeishuTokens, request: Request, others: readonly string[]): Promise<EventReply> {
  const body = await request.text()
  const reply = await tokens.receiveEvent({ headers: request.headers, body })
  // Refused, or the app's. With 503 the store of this region is down, which is no reason to keep the ticket from the others.
  if (!reply.handled || (reply.status !== 200 && reply.status !== 503)) return reply
  const signal = AbortSignal.timeout(LONGEST_MS)
  const headers = [...request.headers].filter(([name]) => name === 'content-type' || name.startsWith('x-lark-'))
  const taken = await Promise.all(
    others.map((url) =>
      fetch(url, { method: 'POST', headers, body, signal }).then(
        ({ ok }) => ok,
        () => false,
      ),
    ),
  )
  if (taken.every(Boolean)) return reply
  return { ...reply, status: 503, body: JSON.stringify({ error: 'not every region has taken the ticket in; deliver it again' }) }
}
