/** Something in a run that must not be. */
export interface Violation {
  readonly what: string
  /** The record it is about; absent: all. */
  readonly key?: string
  /** When, by the machine's clock; absent: all the time. */
  readonly at?: number
}
