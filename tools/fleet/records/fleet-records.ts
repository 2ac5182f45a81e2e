import type { StoreAddress } from '../store-address.ts'

/** The records of one fleet, in a store that others may use as well. */
export interface FleetRecords {
  /** Where every node finds them. */
  readonly address: StoreAddress
  /** Moves every deadline in them nearer by so many milliseconds, as if that time had passed. */
  readonly passInStore: (ms: number) => Promise<void>
  /** Leaves nothing of them behind. The nodes must have ended. */
  readonly remove: () => Promise<void>
}
