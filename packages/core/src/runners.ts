import type { Clock } from './clock.ts'
import type { Credential } from './credential.ts'
import { isTokenError, managerClosed, TokenError } from './errors.ts'
import type { Kernel } from './kernel.ts'
import { KEYS_AT_ONCE } from './reads.ts'
import { Runner } from './runner.ts'
import type { Snapshot, Version } from './store.ts'

/** What must survive the forgetting of a key: without it a process could go back to an older token. */
interface Memory {
  readonly seen: Version
  readonly rejected: Version
  /** After this moment, by the monotonic clock, no older token can be alive. */
  readonly until: number
}

/** Share of the keys that one sweep forgets: sweeping is rare and each sweep cheap per key. */
const SWEEP_SHARE = 0.1

/** The runners of one manager, by key, bounded in number. */
export class Runners {
  readonly clock: Clock
  readonly #kernel: Kernel
  readonly #maxEntries: number
  /** The first of each key: under another configuration a credential is another one, with failures of its own, and its sibling. */
  readonly #byKey = new Map<string, Runner>()
  #size = 0
  #made = 0
  readonly #memories = new Map<string, Memory>()
  /** Above `maxEntries` while hardly anything could be forgotten, so that not every new key sweeps in vain. */
  #sweepAt: number
  #closed = false

  constructor(kernel: Kernel, maxEntries: number) {
    this.#kernel = kernel
    this.clock = kernel.clock
    this.#maxEntries = maxEntries
    this.#sweepAt = maxEntries
    kernel.hints.listenToAll((key, version) => this.#hear(key, version))
  }

  list(): Runner[] {
    return [...this.#byKey.values()].flatMap((first) => [...withSiblings(first)])
  }

  /** @throws TokenError `CLOSED` */
  runner(credential: Credential): Runner {
    if (this.#closed) throw managerClosed()
    const { key, config } = credential
    // Thousands may ask at once for what is not there yet.
    for (let each = this.#byKey.get(key); each !== undefined; each = each.sibling) if (each.credential.config === config) return each
    if (this.#size >= this.#sweepAt) this.#sweep()
    const memory = this.#memories.get(idOf(credential)) ?? { seen: 0, rejected: 0 }
    const runner = new Runner(this.#kernel, credential, memory, this.#made++)
    runner.sibling = this.#byKey.get(key)
    this.#byKey.set(key, runner)
    this.#size += 1
    return runner
  }

  /** Reads many records at once. A batch that the store does not answer leaves its credentials as they are. */
  async adopt(credentials: readonly Credential[]): Promise<void> {
    const { calls, hints } = this.#kernel
    // From now on there is something to hear about.
    void hints.switchOn()
    for (let from = 0; from < credentials.length && !this.#closed; from += KEYS_AT_ONCE) {
      const batch = credentials.slice(from, from + KEYS_AT_ONCE)
      try {
        const { answer, sentAt } = await calls.readAll(batch.map(({ key }) => key))
        const since = sentAt()
        for (const [index, credential] of batch.entries()) {
          const snapshot = answer[index]
          if (snapshot !== undefined) this.learn(credential, snapshot, since)
        }
      } catch (error) {
        if (!isTokenError(error)) throw error
      }
    }
  }

  /** Goes by what the store was found to say. */
  learn(credential: Credential, snapshot: Snapshot, sentAt: number): void {
    if (!this.#closed) this.runner(credential).learn(snapshot, sentAt)
  }

  /** Lets fetches in flight end for `graceMs`, then ends everything. */
  async close(graceMs: number): Promise<void> {
    this.#closed = true
    const error = new TokenError('CLOSED', 'The token manager was closed while the caller waited.', { retryable: false })
    const runners = this.list()
    if (graceMs > 0) {
      const cancel: (() => void)[] = []
      const grace = new Promise<void>((resolve) => cancel.push(this.clock.schedule(resolve, graceMs, true)))
      await Promise.race([Promise.all(runners.map((runner) => runner.close(true, error))), grace])
      for (const each of cancel) each()
    }
    this.#kernel.calls.endClaims()
    await Promise.all(runners.map((runner) => runner.close(false, error)))
    this.#byKey.clear()
    this.#size = 0
    this.#memories.clear()
  }

  /** What both configurations of a credential fetch they share through the store. */
  #hear(key: string | undefined, version: Version): void {
    if (key !== undefined) for (const runner of [...withSiblings(this.#byKey.get(key))]) runner.hear(version)
    else for (const runner of this.list()) runner.hear(undefined)
  }

  #forget(runner: Runner): void {
    const { key, sibling } = runner
    runner.stop()
    this.#size -= 1
    const first = this.#byKey.get(key)
    if (first !== runner) {
      for (const each of withSiblings(first)) if (each.sibling === runner) each.sibling = sibling
    } else if (sibling === undefined) this.#byKey.delete(key)
    else this.#byKey.set(key, sibling)
  }

  /** Forgets the keys that were read longest ago, save those with work under way or callers waiting. */
  #sweep(): void {
    const now = this.clock.monotonic()
    for (const [key, memory] of this.#memories) if (memory.until <= now) this.#memories.delete(key)
    const idle = this.list()
      .filter((runner) => runner.evictable)
      .sort((a, b) => a.lastReadAt - b.lastReadAt)
    const share = Math.max(1, Math.floor(this.#maxEntries * SWEEP_SHARE))
    for (const runner of idle.slice(0, share + Math.max(0, this.#size - this.#maxEntries))) {
      const { seen, rejected, token } = runner.state
      const id = idOf(runner.credential)
      const until = Math.max(token?.expiresAt ?? 0, this.#memories.get(id)?.until ?? 0)
      if (until > now) this.#memories.set(id, { seen, rejected, until })
      this.#forget(runner)
    }
    this.#sweepAt = Math.max(this.#maxEntries, Math.ceil(this.#size * (1 + SWEEP_SHARE)))
  }
}

function* withSiblings(first: Runner | undefined): Generator<Runner> {
  for (let each = first; each !== undefined; each = each.sibling) yield each
}

function idOf(credential: Credential): string {
  return credential.config === undefined ? credential.key : `${credential.key}\n${credential.config}`
}
