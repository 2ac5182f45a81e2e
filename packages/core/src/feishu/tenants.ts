import type { Credential } from '../credential.ts'
import type { Inside } from '../inside.ts'
import { checkText } from '../options.ts'
import type { TokenHandle } from '../token-handle.ts'
import { feishuPolicy } from './app-access-token.ts'
import { checkWarm, type WarmOptions, type WarmReport, warm } from './warm.ts'

/** Handles kept at hand. Each is small, and one that was let go is made again by the next who asks. */
const HANDLES = 10_000

interface Tenant {
  readonly credential: Credential
  readonly handle: TokenHandle
}

/** The tenants of one app: a credential for each, made when it is first asked for. */
export class Tenants {
  readonly #inside: Inside
  readonly #credential: (tenantKey: string) => Credential
  readonly #known = new Map<string, Tenant>()

  constructor(inside: Inside, credential: (tenantKey: string) => Credential) {
    this.#inside = inside
    this.#credential = credential
  }

  /** @throws TypeError for a key that no tenant can have */
  handle(tenantKey: string | undefined): TokenHandle {
    return this.#tenant(tenantKey).handle
  }

  async warm(tenantKeys: Iterable<string>, options: WarmOptions): Promise<WarmReport> {
    checkWarm(options)
    const tenants = new Map(Array.from(tenantKeys, (tenantKey) => [tenantKey, this.#tenant(tenantKey)]))
    const credentials = Array.from(tenants.values(), ({ credential }) => credential)
    const handles = new Map(Array.from(tenants, ([tenantKey, { handle }]) => [tenantKey, handle]))
    return warm(handles, () => this.#inside.adopt(credentials, feishuPolicy), options)
  }

  #tenant(tenantKey: string | undefined): Tenant {
    const known = tenantKey === undefined ? undefined : this.#known.get(tenantKey)
    if (known !== undefined) return known
    checkText(tenantKey, 'tenantKey', 64)
    if (!tenantKey.isWellFormed() || tenantKey.includes('\0')) {
      throw new TypeError('tenantKey: expected well-formed Unicode without U+0000')
    }
    const credential = this.#credential(tenantKey)
    const tenant = { credential, handle: this.#inside.token(credential, feishuPolicy) }
    if (this.#known.size >= HANDLES) this.#known.clear()
    this.#known.set(tenantKey, tenant)
    return tenant
  }
}
