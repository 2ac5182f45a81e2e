export { type FakeFeishuTokens, type FakeFeishuTokensOptions, fakeFeishuTokens } from './fake-feishu-tokens.ts'
export type { FakePlatform } from './fake-platform.ts'
export type { FakeEndpoint, FakeRefusal, FakeReply, FakeRequest, FakeStatus, FakeToken, HeldRequests } from './fake-replies.ts'
export { type FeishuAppOptions, feishuApp } from './feishu-app.ts'
