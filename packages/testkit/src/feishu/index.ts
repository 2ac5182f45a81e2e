export { type FeishuAppOptions, feishuApp } from './feishu-app.ts'
