export { type Clock, systemClock } from './clock.ts'
export type { FetchContext, Fetched } from './credential.ts'
export { isTokenError, TokenError, type TokenErrorCode, type TokenErrorOptions, type UpstreamDetail } from './errors.ts'
export type { EndNotice, Listener, MachineStep, RecordNotice, StoreCall, TicketNotice, TokenEvent } from './events.ts'
export type { Notice } from './machine/happenings.ts'
export type { Policy } from './machine/policy.ts'
export { type Random, systemRandom } from './random.ts'
export type { EncryptionOptions } from './seal/keyring.ts'
export type { KeyStatus } from './status.ts'
export type {
  Claim,
  ClaimRequest,
  Operation,
  Publication,
  PublishRequest,
  SettleRequest,
  Snapshot,
  StoreChange,
  TokenStore,
  Version,
} from './store.ts'
export type { Token } from './token.ts'
export type { GetOptions, TokenHandle, UseOptions } from './token-handle.ts'
export { type CloseOptions, createTokenManager, type TokenManager, type TokenManagerOptions, type TokenOptions } from './token-manager.ts'
