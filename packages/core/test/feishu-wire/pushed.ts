import { createCipheriv, createHash } from 'node:crypto'

/** What the platform does before it pushes an event, written from its documentation and not from the code under test. */

export function encrypt(plain: string | Uint8Array, key: string, iv: Uint8Array = Buffer.alloc(16, 7)): string {
  const cipher = createCipheriv('aes-256-cbc', createHash('sha256').update(key).digest(), iv)
  return Buffer.concat([iv, cipher.update(plain), cipher.final()]).toString('base64')
}

export function sign(body: string | Uint8Array, key: string): Record<string, string> {
  const timestamp = '1760000000'
  const nonce = '4f1c'
  const signature = createHash('sha256').update(timestamp).update(nonce).update(key).update(body).digest('hex')
  return { 'X-Lark-Request-Timestamp': timestamp, 'X-Lark-Request-Nonce': nonce, 'X-Lark-Signature': signature }
}

/** Encrypted and signed with the same key. */
export function push(event: unknown, key: string): { headers: Record<string, string>; body: Buffer } {
  const body = Buffer.from(JSON.stringify({ encrypt: encrypt(JSON.stringify(event), key) }))
  return { headers: sign(body, key), body }
}

/** The app_ticket event of the documentation, with values. */
export function ticketEvent(): Record<string, unknown> {
  return {
    ts: '1502199207.7171419',
    uuid: 'bc447199585340d1f3728d26b1c0297a',
    token: '41a9425ea7df4536a7623e38fa321bae',
    type: 'event_callback',
    event: { app_id: 'cli_slkdjalasdkjasd', app_ticket: 'dskLLdkasd', type: 'app_ticket' },
  }
}
