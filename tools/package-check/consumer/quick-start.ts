// The main job, written against the public API alone: the platform pushes a ticket, the token is minted once for all callers.
// Compiled and run twice, as ESM and as CommonJS.
import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { createFeishuTokens } from '@tokenwell/core/feishu'
import { startFeishuSimulator } from '@tokenwell/feishu-simulator'
import { memoryStore } from '@tokenwell/store-memory'

const app = { appId: 'cli_consumer', appSecret: 'secret-of-the-consumer', verificationToken: 'verify-me', encryptKey: 'encrypt-me' }

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

function listen(server: Server): Promise<string> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      assert.ok(address !== null && typeof address === 'object')
      resolve(`http://127.0.0.1:${address.port}/`)
    })
  })
}

async function main(): Promise<void> {
  const simulator = await startFeishuSimulator({ apps: [app], pushTickets: 'manual' })
  const tokens = createFeishuTokens({
    appId: app.appId,
    appSecret: app.appSecret,
    store: memoryStore(),
    domain: simulator.url,
    events: { verificationToken: app.verificationToken, encryptKey: app.encryptKey },
  })
  const callback = createServer(async (request, response) => {
    const reply = await tokens.receiveEvent({ headers: request.headers, body: await bodyOf(request) })
    response.writeHead(reply.status, reply.headers).end(reply.body)
  })
  try {
    simulator.setEventUrl(app.appId, await listen(callback))
    const { acknowledged } = await simulator.pushTicket(app.appId)
    assert.ok(acknowledged, 'the pushed ticket is acknowledged')

    const values = await Promise.all(Array.from({ length: 1000 }, () => tokens.appAccessToken()))
    assert.equal(new Set(values).size, 1, 'a thousand callers get one token')
    assert.equal(simulator.judge(values[0] ?? ''), 'valid')
  } finally {
    await tokens.close()
    callback.close()
    callback.closeAllConnections()
    await simulator.close()
  }
}

main().catch((error: unknown) => {
  console.error(error)
  process.exitCode = 1
})
