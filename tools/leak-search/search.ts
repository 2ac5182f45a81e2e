import { type Secret, spellings, WINDOW } from './needles.ts'

export interface Entry {
  /** What was recorded: `stdout`, `event`, `error`, … */
  readonly source: string
  /** The test that was running. */
  readonly test: string
  readonly text: string
}

export interface Find {
  readonly label: string
  readonly form: string
  readonly source: string
  readonly test: string
  /** Index of the entry in the transcript. */
  readonly entry: number
}

/** The hash of a window is a polynomial in BASE, so that it can be moved on by one character. */
const BASE = 0x01000193
const TOP = Array.from({ length: WINDOW - 1 }).reduce<number>((power) => Math.imul(power, BASE), 1)
const FILTER_BITS = 1 << 24

/** Bytes that were printed as numbers, `<Buffer 61 62 …>` or `[97,98,…]`, as the text they stand for. */
function* unpacked(text: string): Generator<string> {
  for (const [run] of text.matchAll(/\b[0-9a-f]{2}(?: [0-9a-f]{2}){11,}/gi)) yield Buffer.from(run.replaceAll(' ', ''), 'hex').toString()
  for (const [run] of text.matchAll(/\b\d{1,3}(?:,\s*\d{1,3}){11,}/g)) yield Buffer.from(run.split(',').map(Number)).toString()
}

/**
 * Searches a transcript for every secret, in every spelling, whole or in part: one pass over the text, whatever the number of secrets.
 * One find for each secret and entry.
 */
export function search(transcript: Iterable<Entry>, secrets: Iterable<Secret>): Find[] {
  const windows = new Map<string, readonly [label: string, form: string]>()
  const filter = new Uint8Array(FILTER_BITS / 8)
  for (const { label, value } of secrets) {
    for (const [form, text] of spellings(value)) {
      for (const [at, hash] of hashes(text)) {
        const window = text.slice(at, at + WINDOW)
        if (!windows.has(window)) windows.set(window, [label, form])
        const bit = hash & (FILTER_BITS - 1)
        filter[bit >>> 3] = (filter[bit >>> 3] ?? 0) | (1 << (bit & 7))
      }
    }
  }
  const finds: Find[] = []
  let index = 0
  for (const entry of transcript) {
    const found = new Set<string>()
    for (const text of [entry.text, ...unpacked(entry.text)]) {
      scan(text, filter, (at) => {
        const [label, form] = windows.get(text.slice(at, at + WINDOW)) ?? []
        if (label === undefined || form === undefined || found.has(label)) return
        // A window of hex is six characters of the secret, and a transcript is full of digits: there it takes two windows in a row.
        if (form === 'hex' && windows.get(text.slice(at + WINDOW, at + 2 * WINDOW))?.[0] !== label) return
        found.add(label)
        finds.push({ label, form: text === entry.text ? form : 'bytes', source: entry.source, test: entry.test, entry: index })
      })
    }
    index += 1
  }
  return finds
}

function* hashes(text: string): Generator<readonly [at: number, hash: number]> {
  let hash = 0
  for (let end = 0; end < text.length; end += 1) {
    hash = advance(hash, text, end)
    if (end >= WINDOW - 1) yield [end - WINDOW + 1, hash]
  }
}

/** The hash of the window that ends at `end`, from that of the one before. */
function advance(hash: number, text: string, end: number): number {
  const kept = end < WINDOW ? hash : (hash - Math.imul(text.charCodeAt(end - WINDOW), TOP)) | 0
  return (Math.imul(kept, BASE) + text.charCodeAt(end)) | 0
}

/** Calls `candidate` with where each window begins that the filter cannot rule out. */
function scan(text: string, filter: Uint8Array, candidate: (at: number) => void): void {
  let hash = 0
  for (let end = 0; end < text.length; end += 1) {
    hash = advance(hash, text, end)
    if (end < WINDOW - 1) continue
    const bit = hash & (FILTER_BITS - 1)
    if (((filter[bit >>> 3] ?? 0) & (1 << (bit & 7))) !== 0) candidate(end - WINDOW + 1)
  }
}
