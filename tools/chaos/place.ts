import type { StoreAddress } from '@tokenwell/fleet'
import type { TcpProxy } from '@tokenwell/test-servers'
import type { StoreName } from './options.ts'
import { NoOccasion, type Pause } from './pause.ts'
import type { Planned } from './plan.ts'

/** Hears that the store is about to lose what it had acknowledged, and that it has. `key`: of this record alone. */
export type Loses = (what: 'losing-data' | 'data-loss', key?: string) => void

/** Brings a loss about, and says so before and after it, however that ends. */
export async function losing(loses: Loses, work: () => Promise<void>, key?: string): Promise<void> {
  loses('losing-data', key)
  try {
    await work()
  } finally {
    loses('data-loss', key)
  }
}

/** One of the records there are, by a draw from [0, 1). @throws NoOccasion when there is none */
export function oneOf(records: readonly string[], draw: number): string {
  const record = [...records].sort()[Math.floor(draw * records.length)]
  if (record === undefined) throw new NoOccasion('there is no record')
  return record
}

/** A store with a fleet around it, to which anything may be done. */
export interface Place {
  readonly address: (node: number) => StoreAddress
  /** The way of each process to the store; none to a file. */
  readonly wires: readonly TcpProxy[]
  /**
   * Has this happen to the store, and be over.
   * @param loses told before and after each loss
   */
  strike(fault: Planned, pause: Pause, loses: Loses): Promise<void>
  /** Ends it, whatever state it is in, and leaves nothing behind. */
  stop(): Promise<void>
}

export async function openPlace(store: StoreName, processes: number): Promise<Place> {
  switch (store) {
    case 'redis':
      return (await import('./redis-place.ts')).openRedis(processes)
    case 'postgres':
      return (await import('./postgres-place.ts')).openPostgres(processes)
    case 'sqlite':
      return (await import('./sqlite-place.ts')).openSqlite()
  }
}
