/** A library with a cache that the processes of a fleet share, set up as its documentation recommends. */
export interface Contender {
  /** The library, with its version. */
  readonly name: string
  open(places: Places): Promise<Opened> | Opened
}

/** What a fleet may share. */
export interface Servers {
  readonly redisUrl: string
  readonly postgresUrl: string
}

export interface Places extends Servers {
  readonly upstreamUrl: string
}

/** Makes what each caller of this process calls for the token of a client. */
export type Opened = (clientId: string) => () => Promise<string>

export const SECRET = 'secret'

/** As long as Feishu's tokens live. */
export const LIFE_MS = 7_200_000
