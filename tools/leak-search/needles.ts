/** The shortest run of characters that counts as a leak. */
export const WINDOW = 12

export interface Secret {
  readonly label: string
  readonly value: string
}

/** Base64 of a value as it appears inside the base64 of something longer, at each of the three alignments, without the characters its neighbours share. */
function base64Inside(value: string, encoding: 'base64' | 'base64url'): string[] {
  const bytes = Buffer.from(value)
  return [0, 1, 2].map((before) => {
    const text = Buffer.concat([Buffer.alloc(before), bytes])
      .toString(encoding)
      .replace(/=+$/, '')
    const sharedStart = before === 0 ? 0 : before + 1
    const sharedEnd = (before + bytes.length) % 3 === 0 ? 0 : 1
    return text.slice(sharedStart, text.length - sharedEnd)
  })
}

/** Every spelling in which a secret is searched. */
export function spellings(value: string): ReadonlyArray<readonly [form: string, text: string]> {
  const hex = Buffer.from(value).toString('hex')
  const url = encodeURIComponent(value)
  const json = JSON.stringify(value).slice(1, -1)
  return [
    ['raw', value],
    ...base64Inside(value, 'base64').map((text) => ['base64', text] as const),
    ...base64Inside(value, 'base64url').map((text) => ['base64url', text] as const),
    ['hex', hex],
    ['hex', hex.toUpperCase()],
    ['URL-escaped', url],
    ['URL-escaped', url.replace(/%[0-9A-F]{2}/g, (byte) => byte.toLowerCase())],
    ['URL-escaped', new URLSearchParams({ v: value }).toString().slice(2)],
    ['JSON-escaped', json],
    ['JSON-escaped', json.replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)],
    ['JSON-escaped', JSON.stringify(json).slice(1, -1)],
  ]
}
