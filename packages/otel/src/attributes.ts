import type { Attributes } from '@opentelemetry/api'
import { credentialKind } from './credential-kind.ts'

/** Names of attributes. Part of what dashboards and alerts are written against. */
const CREDENTIAL = 'tokenwell.credential'
const KEY = 'tokenwell.key'
export const OUTCOME = 'tokenwell.outcome'
export const SERVING = 'tokenwell.serving'
export const SHARED = 'tokenwell.shared'
export const STATE = 'tokenwell.state'
export const TOKEN = 'tokenwell.token'
export const OPERATION = 'tokenwell.store.operation'
/** Of OpenTelemetry's semantic conventions. */
const ERROR_TYPE = 'error.type'
export const HTTP_STATUS = 'http.response.status_code'

/** Whose something is. */
export interface Owner {
  /** No two have the same. */
  readonly id: string
  readonly attributes: Attributes
}

export type Whose = (key: string) => Owner

/** All credentials of a kind together, or with `keys` each by itself, under its key; that holds the names of tenants and users. */
export function whose(keys: boolean): Whose {
  if (keys) return (key) => ({ id: `key ${key}`, attributes: { [CREDENTIAL]: credentialKind(key), [KEY]: key } })
  const kinds = new Map<string, Owner>()
  return (key) => {
    const id = credentialKind(key)
    const known = kinds.get(id)
    if (known !== undefined) return known
    const owner = { id, attributes: { [CREDENTIAL]: id } }
    kinds.set(id, owner)
    return owner
  }
}

export function errorType(code: string | undefined): Attributes {
  return code === undefined ? {} : { [ERROR_TYPE]: code }
}
