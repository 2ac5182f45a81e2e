import type { Dispatcher } from '../http.ts'

type Body = NonNullable<Dispatcher.DispatchOptions['body']> | null
type Pieces = Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>

/** A longer body that comes in pieces is sent once. */
const LONGEST_KEPT_BYTES = 1024 * 1024

/**
 * The body of a request, as often as it can be sent. What is there whole (a string, bytes, a form) can be sent again and again, a stream of Node
 * once. An iterable can be read once as well, and it is how `fetch` hands over every body: its pieces are kept while they are sent, as long as
 * they are few.
 */
export class RequestBody {
  readonly #given: Body
  readonly #pieces: Pieces | undefined
  readonly #isStream: boolean
  #isTaken = false
  #kept: Buffer | undefined

  constructor(given: Body = null) {
    this.#given = given
    this.#isStream = isObject(given) && 'pipe' in given
    this.#pieces = !this.#isStream && isPieces(given) ? given : undefined
  }

  /** Whether {@link take} has something to give. */
  get canBeSent(): boolean {
    return !this.#isTaken || this.#kept !== undefined || (!this.#isStream && this.#pieces === undefined)
  }

  /** What is to be sent now. */
  take(): Body {
    const kept = this.#kept
    if (kept !== undefined) return kept
    this.#isTaken = true
    // undici takes iterables; its types do not say so.
    return this.#pieces === undefined ? this.#given : (this.#keeping(this.#pieces) as unknown as Body)
  }

  async *#keeping(pieces: Pieces): AsyncGenerator<string | Uint8Array> {
    let kept: Buffer[] = []
    let size = 0
    for await (const piece of pieces) {
      size += Buffer.byteLength(piece)
      if (size > LONGEST_KEPT_BYTES) kept = []
      // A copy: whoever makes the pieces may use their memory again.
      else kept.push(Buffer.from(piece as Uint8Array))
      yield piece
    }
    if (size <= LONGEST_KEPT_BYTES) this.#kept = Buffer.concat(kept)
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

/** An iterable, but for what undici does not read as one: bytes, and a form. */
function isPieces(body: unknown): body is Pieces {
  if (!isObject(body) || ArrayBuffer.isView(body) || Reflect.get(body, Symbol.toStringTag) === 'FormData') return false
  return Symbol.asyncIterator in body || Symbol.iterator in body
}
