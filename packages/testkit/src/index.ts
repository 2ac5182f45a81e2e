export type { OpenStores, StoreClock } from './conformance/subject.ts'
export { type Conformance, type ConformanceOptions, describeTokenStore, type NotRun } from './conformance/suite.ts'
export { type Call, type Fault, type FlakyOperation, type FlakyStore, flaky } from './flaky-store.ts'
export { CONTRACT_BRANCHES, type ContractBranch } from './simulation/contract-branch.ts'
export { type MintedTokenOptions, mintedToken } from './simulation/minted-token.ts'
export type { Draws } from './simulation/random.ts'
export type { UpstreamRequest } from './simulation/request-audit.ts'
export {
  type GivenOut,
  type PlayedCredential,
  type PlayedProcess,
  type Scenario,
  type StoreWatcher,
  type Surroundings,
  together,
  type Worth,
} from './simulation/scenario.ts'
export { type Shrunk, shrink } from './simulation/shrink.ts'
export { type SimulationOptions, type SimulationReport, simulate } from './simulation/simulate.ts'
export type { PlayableStore } from './simulation/simulated-store.ts'
export type { Trouble } from './simulation/trouble.ts'
export type { Wire } from './simulation/wire.ts'
export { type VirtualClock, type VirtualClockOptions, virtualClock } from './virtual-clock.ts'
