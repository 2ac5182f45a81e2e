export { type FeishuAuthOptions, type FeishuInterceptor, feishuAuth, type OutgoingRequest } from './clients/auth.ts'
export { type FeishuFetchOptions, feishuFetch } from './clients/auth-fetch.ts'
export {
  createNodeEventHandler,
  createWebEventHandler,
  type EventHandlerOptions,
  type EventReceiver,
  type EventReply,
} from './event-handlers.ts'
export { type AppTicketInput, createFeishuTokens, type FeishuTokens, type FeishuTokensOptions, type ReadyOptions } from './feishu-tokens.ts'
export type { AnyHeaders } from './headers.ts'
export { type JsapiSignatureInput, signJsapi } from './jsapi-signature.ts'
export type { AuthorizeInput, ExpiringOptions, UserAuthorization, UserTokenHandle } from './users.ts'
export type { WarmOptions, WarmProgress, WarmReport } from './warm.ts'
