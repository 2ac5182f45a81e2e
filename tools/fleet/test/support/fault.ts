/** How far a rotation has come: nobody has claimed yet, the upstream is being asked, its answer is about to be published. */
export type Moment = 'claim' | 'request' | 'publish'

export const MOMENTS: readonly Moment[] = ['claim', 'request', 'publish']

/** What happens to a fleet in the middle of a rotation. */
export interface Fault {
  /** How far the rotation is when it strikes. */
  readonly moment: Moment
  /** Done when the token is due and nobody has claimed yet. */
  beforehand?(): Promise<void>
  /** Brings the fault about. `holder`: number of the process that holds the lease, as `Place.address` was told it; -1 before a claim. */
  strike(holder: number): Promise<void> | void
  /** Ends it, when its time has come. */
  heal?(holder: number): Promise<void> | void
  /** The store forgets by it something it had acknowledged. */
  readonly losesData?: boolean
}
