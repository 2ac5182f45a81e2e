/**
 * Real processes that share one store, driven and killed by a test, and the check of what they did.
 *
 * @module
 */
export { type Entry, machineNow, type Point } from './entry.ts'
export { Fleet, type FleetOptions, startFleet } from './fleet.ts'
export { violations } from './invariants.ts'
export type { FleetNode } from './node.ts'
export type { CallReport, CredentialName, TokensReport } from './orders.ts'
export type { StoreAddress } from './store-address.ts'
