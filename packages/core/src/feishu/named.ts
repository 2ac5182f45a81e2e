import { checkText } from '../options.ts'

/** Kept at hand. What was let go is made again for the next who asks. */
const KEPT = 10_000

/** The longest name: percent-encoded it fits into a key with all that stands before it. */
const LONGEST_NAME = 64

/** One thing for each name, made when it is first asked for. */
export class Named<T> {
  readonly #what: string
  readonly #make: (name: string) => T
  readonly #known = new Map<string, T>()

  /** `what` the names are called, for messages. */
  constructor(what: string, make: (name: string) => T) {
    this.#what = what
    this.#make = make
  }

  /** @throws TypeError for what is no name: they have 1 to 64 characters of well-formed Unicode without U+0000 */
  get(name: string | undefined): T {
    const known = name === undefined ? undefined : this.#known.get(name)
    if (known !== undefined) return known
    checkText(name, this.#what, LONGEST_NAME)
    if (!name.isWellFormed() || name.includes('\0')) throw new TypeError(`${this.#what}: expected well-formed Unicode without U+0000`)
    const made = this.#make(name)
    if (this.#known.size >= KEPT) this.#known.clear()
    this.#known.set(name, made)
    return made
  }
}
