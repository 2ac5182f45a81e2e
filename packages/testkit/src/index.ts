export type { OpenStores, StoreClock } from './conformance/subject.ts'
export { type Conformance, type ConformanceOptions, describeTokenStore, type NotRun } from './conformance/suite.ts'
export { type Call, type Fault, type FlakyOperation, type FlakyStore, flaky } from './flaky-store.ts'
export { type VirtualClock, type VirtualClockOptions, virtualClock } from './virtual-clock.ts'
