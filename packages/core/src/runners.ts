import type { Clock } from './clock.ts'
import type { Credential } from './credential.ts'
import { isTokenError, TokenError } from './errors.ts'
import type { Kernel } from './kernel.ts'
import type { Policy } from './machine/policy.ts'
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

/** Records read in one operation. */
const BATCH = 200

/** The runners of one manager, by key, bounded in number. */
export class Runners {
  readonly clock: Clock
  readonly #kernel: Kernel
  readonly #maxEntries: number
  readonly #byKey = new Map<string, Runner>()
  readonly #memories = new Map<string, Memory>()
  /** Above `maxEntries` while hardly anything could be forgotten, so that not every new key sweeps in vain. */
  #sweepAt: number
  #closed = false

  constructor(kernel: Kernel, maxEntries: number) {
    this.#kernel = kernel
    this.clock = kernel.clock
    this.#maxEntries = maxEntries
    this.#sweepAt = maxEntries
  }

  list(): Runner[] {
    return [...this.#byKey.values()]
  }

  /** @throws TokenError `CLOSED` */
  runner(credential: Credential, policy: Policy): Runner {
    if (this.#closed) throw new TokenError('CLOSED', 'The token manager was closed. Create a new one.', { retryable: false })
    const id = idOf(credential)
    const known = this.#byKey.get(id)
    if (known !== undefined) return known
    if (this.#byKey.size >= this.#sweepAt) this.#sweep()
    const memory = this.#memories.get(id) ?? { seen: 0, rejected: 0 }
    const runner = new Runner(this.#kernel, credential, policy, memory)
    this.#byKey.set(id, runner)
    return runner
  }

  /** Reads many records at once. A batch that the store does not answer leaves its credentials as they are. */
  async adopt(credentials: readonly Credential[], policy: Policy): Promise<void> {
    const { calls, hints } = this.#kernel
    // From now on there is something to hear about.
    void hints.switchOn()
    for (let from = 0; from < credentials.length && !this.#closed; from += BATCH) {
      const batch = credentials.slice(from, from + BATCH)
      try {
        const { answer, sentAt } = await calls.readAll(batch.map(({ key }) => key))
        const since = sentAt()
        for (const [index, credential] of batch.entries()) {
          const snapshot = answer[index]
          if (snapshot !== undefined) this.learn(credential, policy, snapshot, since)
        }
      } catch (error) {
        if (!isTokenError(error)) throw error
      }
    }
  }

  /** Goes by what the store was found to say. */
  learn(credential: Credential, policy: Policy, snapshot: Snapshot, sentAt: number): void {
    if (!this.#closed) this.runner(credential, policy).learn(snapshot, sentAt)
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
    await Promise.all(runners.map((runner) => runner.close(false, error)))
    this.#byKey.clear()
    this.#memories.clear()
  }

  /** Forgets the keys that were read longest ago, save those with work under way or callers waiting. */
  #sweep(): void {
    const now = this.clock.monotonic()
    for (const [key, memory] of this.#memories) if (memory.until <= now) this.#memories.delete(key)
    const idle = [...this.#byKey].filter(([, runner]) => runner.evictable).sort(([, a], [, b]) => a.readAt - b.readAt)
    const share = Math.max(1, Math.floor(this.#maxEntries * SWEEP_SHARE))
    for (const [id, runner] of idle.slice(0, share + Math.max(0, this.#byKey.size - this.#maxEntries))) {
      const { seen, rejected, token } = runner.state
      const until = Math.max(token?.expiresAt ?? 0, this.#memories.get(id)?.until ?? 0)
      if (until > now) this.#memories.set(id, { seen, rejected, until })
      runner.stop()
      this.#byKey.delete(id)
    }
    this.#sweepAt = Math.max(this.#maxEntries, Math.ceil(this.#byKey.size * (1 + SWEEP_SHARE)))
  }
}

/** Under another configuration a credential is another one, with failures of its own; what both fetch they share through the store. */
function idOf(credential: Credential): string {
  return credential.config === undefined ? credential.key : `${credential.key}\n${credential.config}`
}
