import { createHash } from 'node:crypto'
import { checkObject, checkText, describe } from '../options.ts'

export interface JsapiSignatureInput {
  /** The jsapi ticket: `(await tokens.jsapiTicket(tenantKey).get()).value`. */
  readonly ticket: string
  /** Random text, 1 to 200 characters, as it is given to the SDK in the page. */
  readonly nonceStr: string
  /** Epoch milliseconds, as it is given to the SDK in the page. */
  readonly timestamp: number
  /** The page's URL as its browser has it, not decoded; what follows a `#` is left out. */
  readonly url: string
}

/**
 * The `signature` with which a page configures the JS SDK of Feishu or Lark: hex SHA-1 over ticket, nonce, time and URL.
 *
 * @throws TypeError for an input that is missing or of another type
 * @see https://open.feishu.cn/document/uYjL24iN/uUDO3YjL1gzN24SN4cjN
 */
export function signJsapi(input: JsapiSignatureInput): string {
  checkObject(input, 'signJsapi', ['ticket', 'nonceStr', 'timestamp', 'url'])
  const { ticket, nonceStr, timestamp, url } = input
  checkText(ticket, 'ticket', 16_000)
  checkText(nonceStr, 'nonceStr', 200)
  checkText(url, 'url', 16_000)
  if (!Number.isSafeInteger(timestamp) || timestamp <= 0) {
    throw new TypeError(`timestamp: expected epoch milliseconds as a number, got ${describe(timestamp)}`)
  }
  const page = url.replace(/#.*$/s, '')
  return createHash('sha1').update(`jsapi_ticket=${ticket}&noncestr=${nonceStr}&timestamp=${timestamp}&url=${page}`).digest('hex')
}
