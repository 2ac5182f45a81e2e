export interface Order {
  readonly place: string
  readonly rounds: number
  /** Nothing but what the limits are about. */
  readonly limitsOnly: boolean
}

export const OPERATIONS = ['bare', 'claim', 'publish', 'read', 'claim again', 'publish again', 'read 100'] as const
export type Operation = (typeof OPERATIONS)[number]

/** What is done with many under way at any time. */
export const CROWDED = ['bare', 'claim', 'publish', 'read', 'read 100'] as const
export type Crowded = (typeof CROWDED)[number]

/** Of each operation, round by round. */
export type Rounds<Name extends string> = Readonly<Record<Name, readonly number[]>>

export interface Measured {
  readonly name: string
  readonly version: string
  readonly bareName: string
  /** One at a time: the medians, microseconds. */
  readonly microseconds: Rounds<Operation>
  /** The same, of which 99 of 100 took no longer. */
  readonly p99Microseconds: Rounds<Operation>
  /** The medians over a wire with a round trip of {@link WIRE_MS}. Absent where there is no server. */
  readonly distantMicroseconds?: Rounds<Operation>
  /** Operations a second with 64 under way. Absent with `limitsOnly`. */
  readonly throughput?: Rounds<Crowded>
  /** Of the server's processors, microseconds an operation with 64 under way. Absent with `limitsOnly`, and where no server or system tells. */
  readonly server?: Rounds<Crowded>
}

/** A round trip between two zones of a cloud, and more than what any operation takes over loopback. */
export const WIRE_MS = 10
