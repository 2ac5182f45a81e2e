// Runs the program of the README against the simulated platform: it listens, asks for a ticket, is pushed one, and has its token.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { startFeishuSimulator } from '@tokenwell/feishu-simulator'

const app = { appId: 'cli_readme', appSecret: 'secret-of-the-readme', verificationToken: 'verify-me', encryptKey: 'encrypt-me' }

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

const port = await freePort()
const simulator = await startFeishuSimulator({ apps: [{ ...app, eventUrl: `http://127.0.0.1:${port}/` }], pushTickets: 'manual' })
Object.assign(process.env, {
  APP_ID: app.appId,
  APP_SECRET: app.appSecret,
  VERIFICATION_TOKEN: app.verificationToken,
  ENCRYPT_KEY: app.encryptKey,
  DOMAIN: simulator.url,
  PORT: `${port}`,
})
const { authorization } = await import('./out/esm/readme.js')
assert.equal(simulator.judge((await authorization()).replace(/^Bearer /, '')), 'valid')
// It serves events until somebody ends it.
process.exit()
