import type { Attributes } from '@opentelemetry/api'
import { credentialKind } from './credential-kind.ts'

/** Names of attributes. Part of what dashboards and alerts are written against. */
export const CREDENTIAL = 'tokenwell.credential'
export const KEY = 'tokenwell.key'
export const OUTCOME = 'tokenwell.outcome'
export const SERVING = 'tokenwell.serving'
export const SHARED = 'tokenwell.shared'
export const STATE = 'tokenwell.state'
export const TOKEN = 'tokenwell.token'
export const OPERATION = 'tokenwell.store.operation'
/** Of OpenTelemetry's semantic conventions. */
export const ERROR_TYPE = 'error.type'
export const HTTP_STATUS = 'http.response.status_code'

/** What says whose something is. */
export type Whose = (key: string) => Attributes

/** With `keys` the key itself; it holds the names of tenants and users. */
export function whose(keys: boolean): Whose {
  return keys ? (key) => ({ [CREDENTIAL]: credentialKind(key), [KEY]: key }) : (key) => ({ [CREDENTIAL]: credentialKind(key) })
}

export function errorType(code: string | undefined): Attributes {
  return code === undefined ? {} : { [ERROR_TYPE]: code }
}
