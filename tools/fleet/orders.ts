import type { EncryptionOptions, KeyStatus } from '@tokenwell/core'
import type { Entry, Point } from './entry.ts'
import type { StoreAddress } from './store-address.ts'

/** What a node is told when it starts. */
export interface Setting {
  readonly node: string
  readonly store: StoreAddress
  readonly domain: string
  readonly app: AppSetting
  readonly storeTimeoutMs?: number
  /** Default: none, values are stored as they are. */
  readonly encryption?: EncryptionOptions
}

export interface AppSetting {
  readonly appId: string
  readonly appSecret: string
  readonly verificationToken: string
  readonly encryptKey: string
}

/** What a node can be told to do, and what it answers. */
export interface Orders {
  start(setting: Setting): { readonly eventUrl: string }
  /** So many callers at once, all at this moment of the machine's clock; a moment that has passed means now. */
  burst(order: { readonly callers: number; readonly at: number; readonly timeoutMs?: number }): CallReport
  /** One caller for each of these credentials, all at once; `at` and `timeoutMs` as for `burst`. */
  tokens(order: { readonly of: readonly CredentialName[]; readonly at?: number; readonly timeoutMs?: number }): TokensReport
  /** Has the code of a user's authorisation exchanged. */
  authorize(order: { readonly user: string; readonly code: string }): void
  /** From now on so many callers every few milliseconds. */
  load(order: { readonly callers: number; readonly everyMs: number }): void
  /**
   * From now on one caller of one of these credentials every few milliseconds, in every manner, until the node is closed. Which, and in which
   * manner, is drawn from the seed and the node's name.
   */
  traffic(order: { readonly of: readonly CredentialName[]; readonly everyMs: number; readonly seed: number }): void
  /** Ends the load and waits for its last caller. */
  rest(): CallReport
  /** Nothing is begun any more: no load, no timer, no hint. Answers when nothing of the store is under way. */
  still(): void
  /** Whether it has done everything that has come to it, and waits for no answer of the store. */
  idle(): boolean
  /** Both clocks of the node move on by so much, and everything goes on. */
  pass(ms: number): void
  /** The next time the node comes to this point it stays there, until released. */
  hold(point: Point): void
  release(point: Point): void
  /** Reports the token that is served now as rejected. */
  reject(): { readonly version: number }
  status(): KeyStatus[]
  /** Closes everything, after which the process must end by itself. */
  close(): void
}

/** What became of callers. */
export interface CallReport {
  readonly callers: number
  /** How many had no token after one turn of the event loop. */
  readonly blocked: number
  /** Each value served, and to how many. */
  readonly served: Readonly<Record<string, number>>
  /** Each error's code, and how many got it. */
  readonly errors: Readonly<Record<string, number>>
  readonly longestMs: number
  /** When the last one was served, by the machine's clock. */
  readonly lastAt: number
}

/** One of the app's credentials. */
export interface CredentialName {
  readonly kind: 'app' | 'tenant' | 'user'
  /** Of the tenant or the user. */
  readonly id: string
}

/** What each of the callers got, in the order of the credentials. */
export interface TokensReport {
  readonly results: readonly ({ readonly value: string; readonly version: number } | { readonly code: string; readonly message: string })[]
  readonly longestMs: number
}

export type Name = keyof Orders

export type Message = { readonly reply: number; readonly value?: unknown; readonly error?: string } | EntryMessage

/** `token`: the value behind the digest of a `served` entry, where the parent wants to have it judged; no part of any history. */
export interface EntryMessage {
  readonly entry: Entry
  readonly token?: string
}

export interface OrderMessage {
  readonly id: number
  readonly name: Name
  readonly argument: unknown
}
