export { type Clock, systemClock } from './clock.ts'
export { isTokenError, TokenError, type TokenErrorCode, type TokenErrorOptions, type UpstreamDetail } from './errors.ts'
export { type Random, systemRandom } from './random.ts'
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
