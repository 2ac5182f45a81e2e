/**
 * Real processes that share one store, driven and killed by a test, and the check of what they did.
 *
 * @module
 */
export { digest, type Entry, type LastServed, machineNow, type Point, type StoreCall, withoutNamespace } from './entry.ts'
export { Fleet, type FleetOptions, startFleet } from './fleet.ts'
export { differentValues, storeViolations, violations } from './invariants.ts'
export { FleetNode } from './node.ts'
export type { AppSetting, CallReport, CredentialName, TokensReport } from './orders.ts'
export type { StoreAddress } from './store-address.ts'
