import { checkText } from '../options.ts'

/** The longest name: percent-encoded it fits into a key with all that stands before it. */
const LONGEST_NAME = 64

/** One thing for each name, made when it is first asked for, and kept as long as it is among so many that are asked for most lately. */
export class Named<T> {
  readonly #what: string
  readonly #kept: number
  readonly #make: (name: string) => T
  #known = new Map<string, T>()
  /** What was asked for before those; whatever of it is not asked for again is let go with it. */
  #before = new Map<string, T>()

  /** `what` the names are called, for messages. `kept`: at most twice as many are. */
  constructor(what: string, kept: number, make: (name: string) => T) {
    this.#what = what
    this.#kept = kept
    this.#make = make
  }

  /** @throws TypeError for what is no name: they have 1 to 64 characters of well-formed Unicode without U+0000 */
  get(name: string | undefined): T {
    const known = name === undefined ? undefined : this.#known.get(name)
    if (known !== undefined) return known
    checkText(name, this.#what, LONGEST_NAME)
    const made = this.#before.get(name) ?? this.#make(checkName(name, this.#what))
    if (this.#known.size >= this.#kept) {
      this.#before = this.#known
      this.#known = new Map()
    }
    this.#known.set(name, made)
    return made
  }
}

function checkName(name: string, what: string): string {
  if (!name.isWellFormed() || name.includes('\0')) throw new TypeError(`${what}: expected well-formed Unicode without U+0000`)
  return name
}
