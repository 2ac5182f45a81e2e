import type { Credential } from '../credential.ts'
import type { Inside } from '../inside.ts'
import { checkTexts } from '../options.ts'
import type { TokenHandle } from '../token-handle.ts'
import { Named } from './named.ts'
import { checkWarm, type WarmOptions, type WarmReport, warm } from './warm.ts'

interface Tenant {
  readonly credential: Credential
  readonly handle: TokenHandle
}

/** The tenants of one app: a credential for each. */
export class Tenants {
  readonly #inside: Inside
  readonly #tenants: Named<Tenant>

  constructor(inside: Inside, credentialOf: (tenantKey: string) => Credential) {
    this.#inside = inside
    this.#tenants = new Named('tenantKey', inside.maxEntries, (tenantKey) => {
      const credential = credentialOf(tenantKey)
      return { credential, handle: inside.token(credential) }
    })
  }

  /** @throws TypeError for a key that no tenant can have */
  handle(tenantKey: string | undefined): TokenHandle {
    return this.#tenants.get(tenantKey).handle
  }

  async warm(tenantKeys: Iterable<string>, options: WarmOptions): Promise<WarmReport> {
    checkWarm(options)
    const tenants = new Map(Array.from(checkTexts(tenantKeys, 'tenantKeys'), (tenantKey) => [tenantKey, this.#tenants.get(tenantKey)]))
    const credentials = Array.from(tenants.values(), ({ credential }) => credential)
    const handles = new Map(Array.from(tenants, ([tenantKey, { handle }]) => [tenantKey, handle]))
    return warm(handles, () => this.#inside.adopt(credentials), options)
  }
}
