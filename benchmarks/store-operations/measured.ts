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

/** Of which the server's processor time is known one at a time. */
export const WEIGHED = ['bare', 'claim', 'publish'] as const
export type Weighed = (typeof WEIGHED)[number]

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
  /** The same over a wire with a round trip of {@link WIRE_MS}. Absent where there is no server. */
  readonly distantMicroseconds?: Rounds<Operation>
  readonly distantP99Microseconds?: Rounds<Operation>
  /** One at a time, in a process that listens for changes. Absent where a store tells of none. */
  readonly listeningMicroseconds?: Rounds<Operation>
  readonly listeningP99Microseconds?: Rounds<Operation>
  /** Of the server's processors, one at a time while the process listens, for each, microseconds. Absent where there is no server, or the system does not tell. */
  readonly serverMicroseconds?: Rounds<Weighed>
  /** Another process does the work. */
  readonly hasServer: boolean
  /** With {@link AT_ONCE} under way at any time. Absent with `limitsOnly`. */
  readonly crowd?: Crowds
}

export interface Crowds {
  readonly perSecond: Rounds<Crowded>
  /** From a call to its outcome, of which 99 of 100 took no longer, microseconds. */
  readonly p99Microseconds: Rounds<Crowded>
  /**
   * Of a processor, for each operation, microseconds: of the server or, where there is none, of the caller's process with all that it does. Absent
   * where the system does not tell.
   */
  readonly processorMicroseconds?: Rounds<Crowded>
}

/** Of each operation in a round, one at a time. */
export const CALLS = 150
/** Over the wire a call takes as long as a hundred without it, and is as good as any other. */
export const DISTANT_CALLS = 24

/** Calls of which the server's processor time is looked at before and after, and how often in a round. */
export const BLOCK = 50
export const BLOCKS = 16

/** How many are under way at any time, of how many in a round. */
export const AT_ONCE = 64
export const CROWD = 4_000
export const CROWD_OF_HUNDREDS = 200

/** A round trip between two zones of a cloud, and more than what any operation takes over loopback. */
export const WIRE_MS = 10
