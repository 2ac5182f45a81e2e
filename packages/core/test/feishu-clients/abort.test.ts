import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { inspect } from 'node:util'
import { feishuAuth } from '@tokenwell/core/feishu'
import { Agent, MockAgent } from 'undici'
import { describe, expect, onTestFinished, test } from 'vitest'
import { errorOf } from '../../../../tools/leak-search/index.ts'
import { eventually, listen, quiet } from '../support/world.ts'
import { calls, createReadyWorld, everyClient, revoke, SCOPES, TENANT, tenantMints, textOf } from './support.ts'

describe.each(everyClient)('%s', (_, client) => {
  test('a request that is aborted before it is made is not made', async () => {
    const { world, tokens } = await createReadyWorld()
    const send = client.open(tokens, { tenantKey: TENANT })
    const error = await errorOf(send(tokens.baseUrl + SCOPES, { signal: AbortSignal.abort(new Error('gone')) }))
    expect(error).toMatchObject({ message: 'gone' })
    await quiet()
    expect(calls(world)).toHaveLength(0)
  })

  test('who leaves while the token is fetched is told at once; the fetch goes on for the others', async () => {
    const { world, tokens } = await createReadyWorld()
    const fault = world.simulator.fault('tenant_access_token', { kind: 'hang' })
    const held = world.simulator.next('held')
    const controller = new AbortController()
    const send = client.open(tokens, { tenantKey: 'tenant-2' })
    const leaving = errorOf(send(tokens.baseUrl + SCOPES, { signal: controller.signal }))
    const staying = send(tokens.baseUrl + SCOPES)
    await held
    controller.abort(new Error('gone'))
    expect(await leaving).toMatchObject({ message: 'gone' })
    fault.release()
    await textOf(await staying)
    expect(calls(world)).toHaveLength(1)
  })

  test('who leaves while a refused token is replaced is told at once, and nothing is sent again', async () => {
    const { world, tokens } = await createReadyWorld()
    revoke(world)
    const fault = world.simulator.fault('tenant_access_token', { kind: 'hang' })
    const held = world.simulator.next('held')
    const controller = new AbortController()
    const leaving = errorOf(client.open(tokens, { tenantKey: TENANT })(tokens.baseUrl + SCOPES, { signal: controller.signal }))
    await held
    controller.abort(new Error('gone'))
    expect(await leaving).toMatchObject({ message: 'gone' })
    fault.release()
    await quiet()
    expect(tenantMints(world)).toBe(2)
    expect(calls(world)).toHaveLength(1)
  })

  test('who leaves while the reply is held back, or read, ends the request', async () => {
    const { tokens } = await createReadyWorld()
    const open: ServerResponse[] = []
    const baseUrl = await listen((_incoming, response) => {
      open.push(response)
      response.writeHead(200, { 'content-type': 'application/json' }).write(open.length === 1 ? '{"cod' : '{"code":0,')
    })
    const send = client.open({ ...tokens, baseUrl }, { tenantKey: TENANT })
    const held = new AbortController()
    const leaving = errorOf(send(`${baseUrl}/x`, { signal: held.signal }))
    await eventually(() => open.length === 1)
    await quiet()
    held.abort(new Error('gone'))
    expect(await leaving).toMatchObject({ message: 'gone' })
    await eventually(() => open[0]?.closed === true)

    const read = new AbortController()
    const reply = await send(`${baseUrl}/x`, { signal: read.signal })
    const reading = errorOf(textOf(reply))
    await quiet()
    read.abort(new Error('gone'))
    expect(await reading).toMatchObject({ message: 'gone' })
    await eventually(() => open[1]?.closed === true)
  })

  test('a reply that breaks off is an error, held back or not', async () => {
    const { world, tokens } = await createReadyWorld()
    const baseUrl = await listen((incoming, response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' })
      response.write(incoming.url === '/held' ? '{"code":99991663' : '{"code":0,', () => response.destroy())
    })
    const send = client.open({ ...tokens, baseUrl }, { tenantKey: TENANT })
    await errorOf(send(`${baseUrl}/held`).then(textOf))
    await errorOf(send(`${baseUrl}/passed`).then(textOf))
    expect(tenantMints(world)).toBe(1)
  })

  test('a request that cannot be sent fails as it would without a token', async () => {
    const { tokens } = await createReadyWorld()
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    await new Promise((resolve) => server.close(resolve))
    const error = await errorOf(client.open({ ...tokens, baseUrl }, { tenantKey: TENANT })(`${baseUrl}/x`))
    const cause = error instanceof TypeError ? error.cause : error
    expect(cause).toMatchObject({ code: 'ECONNREFUSED' })
  })
})

test('when the tokens are closed, requests fail and say so', async () => {
  const { node, tokens } = await createReadyWorld()
  const dispatcher = new Agent().compose(feishuAuth(tokens, { tenantKey: TENANT }))
  onTestFinished(() => dispatcher.destroy())
  await node.manager.close()
  const error = await errorOf(dispatcher.request({ origin: tokens.baseUrl, path: SCOPES, method: 'GET' }))
  expect(error).toMatchObject({ code: 'CLOSED' })
})

test('a dispatcher that is closed meanwhile is an error like any other', async () => {
  const { tokens } = await createReadyWorld()
  const agent = new Agent()
  const dispatcher = agent.compose(feishuAuth(tokens, { tenantKey: TENANT }))
  await agent.close()
  const error = await errorOf(dispatcher.request({ origin: tokens.baseUrl, path: SCOPES, method: 'GET' }))
  expect(error).toMatchObject({ code: 'UND_ERR_DESTROYED' })
})

test('an error that quotes the request shows nothing of its token', async () => {
  const { tokens } = await createReadyWorld()
  // One that nothing matches quotes the headers.
  const agent = new MockAgent()
  onTestFinished(() => agent.close())
  agent.disableNetConnect()
  agent
    .get(tokens.baseUrl)
    .intercept({ path: SCOPES, headers: { expected: 'another' } })
    .reply(200)
  const dispatcher = agent.compose(feishuAuth(tokens, { tenantKey: TENANT }))
  const error = await errorOf(dispatcher.request({ origin: tokens.baseUrl, path: SCOPES, method: 'GET' }))
  const shown = inspect(error)
  expect(shown).toContain('Bearer ***')
  expect(shown).not.toContain((await tokens.tenantAccessToken(TENANT)).slice(0, 12))
})
