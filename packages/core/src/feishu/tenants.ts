import type { Credential } from '../credential.ts'
import type { Inside } from '../inside.ts'
import { checkTexts } from '../options.ts'
import type { TokenHandle } from '../token-handle.ts'
import { Named } from './named.ts'
import { checkWarm, type WarmOptions, type WarmReport, warm } from './warm.ts'

/** The tenants of one app: a credential for each. */
export class Tenants {
  readonly #inside: Inside
  readonly #tenants: Named<TokenHandle>

  constructor(inside: Inside, make: (tenantKey: string) => Credential) {
    this.#inside = inside
    this.#tenants = new Named('tenantKey', inside.maxEntries, (tenantKey) => inside.token(make(tenantKey)))
  }

  /** @throws TypeError for a key that no tenant can have */
  handle(tenantKey: string | undefined): TokenHandle {
    return this.#tenants.get(tenantKey)
  }

  async warm(tenantKeys: Iterable<string>, options: WarmOptions): Promise<WarmReport> {
    checkWarm(options)
    const handles = new Map(Array.from(checkTexts(tenantKeys, 'tenantKeys'), (tenantKey) => [tenantKey, this.#tenants.get(tenantKey)]))
    return warm(handles, () => this.#inside.adopt([...handles.values()]), options)
  }
}
