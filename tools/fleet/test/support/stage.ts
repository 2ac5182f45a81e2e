import type { Fleet, FleetOptions } from '../../index.ts'

/** Where fleets play: a store of one kind. */
export interface Stage {
  readonly name: string
  /** A fleet with records of its own. */
  fleet(options: StageFleetOptions): Promise<Fleet>
  /** How many commands or statements nodes have sent so far, as the server counts them. */
  operations?(): Promise<number>
  /** Everything the store has written down, byte for byte, as one who steals it would get it. */
  dump(): Promise<Buffer>
  close(): Promise<void>
}

/** A store on a server of its own, which can be frozen and killed. */
export interface ServerStage extends Stage {
  readonly server: {
    /** Freezes it: connections stay, answers do not come. */
    pause(): void
    resume(): void
    kill(): Promise<void>
    restart(): Promise<void>
  }
  /** Whether it is empty after it was killed. */
  readonly forgets: boolean
}

export interface StageFleetOptions extends Pick<FleetOptions, 'nodes' | 'storeTimeoutMs' | 'encryption'> {
  /** Without the store's push, as if it were forbidden. */
  readonly withoutPush?: boolean
}
