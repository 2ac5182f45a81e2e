export interface Order {
  readonly place: string
  readonly rounds: number
}

export const OPERATIONS = ['bare', 'claim', 'publish', 'read', 'read 100'] as const
export type Operation = (typeof OPERATIONS)[number]

export interface Measured {
  readonly name: string
  readonly bareName: string
  /** The median of each round, microseconds. */
  readonly microseconds: Readonly<Record<Operation, readonly number[]>>
  /** Operations a second with 64 under way, of each round. */
  readonly throughput: Readonly<Record<'bare' | 'claim' | 'read', readonly number[]>>
  /** Of the server's processors, microseconds an operation with 64 under way. */
  readonly server?: Readonly<Record<'bare' | 'claim' | 'read', number>>
}
