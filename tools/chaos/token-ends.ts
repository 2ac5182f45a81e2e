import { machineNow } from '@tokenwell/fleet'

/** How often the platform is asked, milliseconds. What it says late, it says in favour of the fleet. */
const LOOK_EVERY_MS = 20

/** When tokens ended, by the platform's word. */
export class TokenEnds {
  readonly ends = new Map<string, number>()
  readonly #judge: (token: string) => string
  readonly #living = new Map<string, string>()
  readonly #timer: NodeJS.Timeout

  constructor(judge: (token: string) => string) {
    this.#judge = judge
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS)
  }

  /** A token is served from now on. */
  note(digest: string, token: string): void {
    if (!this.ends.has(digest)) this.#living.set(digest, token)
  }

  /** Whether it is good at this moment. */
  isGood(digest: string): boolean {
    const token = this.#living.get(digest)
    return token !== undefined && this.#judge(token) === 'valid'
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #look(): void {
    for (const [digest, token] of this.#living) {
      const state = this.#judge(token)
      if (state === 'valid') continue
      this.#living.delete(digest)
      // A token that is revoked goes on being served until somebody is refused with it: nobody can know before.
      if (state === 'expired') this.ends.set(digest, machineNow())
    }
  }
}
