import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { startProxy } from '../index.ts'

/** A server that remembers what it is told and answers `re: ` and the same, and a proxy in front of it. */
async function proxied(name = 're', delayMs = 0) {
  const heard: string[] = []
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}))
    socket.on('data', (bytes) => {
      heard.push(String(bytes))
      socket.write(`${name}: ${bytes}`)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const proxy = await startProxy({ port, delayMs })
  onTestFinished(async () => {
    await proxy.stop()
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return { proxy, heard, port }
}

/** Somebody who is connected, what they were told so far, and whether they still are. */
async function client(port: number) {
  const socket = connect(port, '127.0.0.1').on('error', () => {})
  onTestFinished(() => {
    socket.destroy()
  })
  const told: string[] = []
  let isOpen = true
  socket.on('data', (bytes) => told.push(String(bytes)))
  socket.on('close', () => {
    isOpen = false
  })
  await once(socket, 'connect')
  return {
    told,
    say: (text: string) => socket.write(text),
    leave: () => socket.destroy(),
    get isOpen() {
      return isOpen
    },
  }
}

test('without a fault everything is carried', async () => {
  const { proxy } = await proxied()
  const someone = await client(proxy.port)
  someone.say('hello')
  await expect.poll(() => someone.told).toEqual(['re: hello'])
  expect(proxy.connections).toBe(1)
  someone.leave()
  await expect.poll(() => proxy.connections).toBe(0)
})

test('with a delay everything takes that long each way, in its order, also the end of a connection', async () => {
  const { proxy, heard } = await proxied('re', 50)
  const someone = await client(proxy.port)
  const begun = performance.now()
  someone.say('first')
  await expect.poll(() => heard, { interval: 1 }).toEqual(['first'])
  expect(performance.now() - begun).toBeGreaterThanOrEqual(49)
  someone.say('second')
  await expect.poll(() => someone.told.join(), { interval: 1 }).toMatch(/^re: first.*re: second$/)
  expect(performance.now() - begun).toBeGreaterThanOrEqual(147)
  someone.say('last words')
  someone.leave()
  await expect.poll(() => heard).toEqual(['first', 'second', 'last words'])
  await expect.poll(() => proxy.connections).toBe(0)
})

test('replies that are swallowed never come, and their connection ends when it heals', async () => {
  const { proxy, heard } = await proxied()
  const someone = await client(proxy.port)
  const silent = await client(proxy.port)
  proxy.swallowReplies()
  someone.say('hello')
  await expect.poll(() => heard).toEqual(['hello'])
  // The answer to a second word proves that the first one's was on its way.
  someone.say('again')
  await expect.poll(() => heard).toEqual(['hello', 'again'])
  proxy.heal()
  await expect.poll(() => someone.isOpen).toBe(false)
  expect(someone.told.filter((text) => text.includes('hello'))).toEqual([])
  silent.say('still here')
  await expect.poll(() => silent.told).toEqual(['re: still here'])
})

test('requests that are held are delivered late, in their order, also for a client that has gone', async () => {
  const { proxy, heard } = await proxied()
  const someone = await client(proxy.port)
  const passing = await client(proxy.port)
  await expect.poll(() => proxy.connections).toBe(2)
  proxy.holdRequests()
  passing.say('first')
  passing.leave()
  await expect.poll(() => proxy.connections).toBe(1)
  someone.say('second')
  const later = await client(proxy.port)
  later.say('third')
  await expect.poll(() => proxy.connections).toBe(2)
  expect(heard).toEqual([])
  proxy.release()
  await expect.poll(() => [...heard].sort()).toEqual(['first', 'second', 'third'])
  await expect.poll(() => [someone.told, later.told]).toEqual([['re: second'], ['re: third']])
})

test('replies that are held are delivered late', async () => {
  const { proxy, heard } = await proxied()
  const someone = await client(proxy.port)
  proxy.holdReplies()
  someone.say('hello')
  await expect.poll(() => heard).toEqual(['hello'])
  const other = await client(proxy.port)
  other.say('too')
  await expect.poll(() => heard).toEqual(['hello', 'too'])
  expect(someone.told).toEqual([])
  proxy.release()
  await expect.poll(() => [someone.told, other.told]).toEqual([['re: hello'], ['re: too']])
})

test('a wire that is cut ends every connection and every new one until it heals', async () => {
  const { proxy, heard } = await proxied()
  const someone = await client(proxy.port)
  someone.say('hello')
  await expect.poll(() => someone.told).toEqual(['re: hello'])
  proxy.cut()
  await expect.poll(() => someone.isOpen).toBe(false)
  const refused = await client(proxy.port)
  await expect.poll(() => refused.isOpen).toBe(false)
  proxy.heal()
  const back = await client(proxy.port)
  back.say('back')
  await expect.poll(() => back.told).toEqual(['re: back'])
  expect(heard).toEqual(['hello', 'back'])
})

test('a reset ends the connections there are, and no other', async () => {
  const { proxy } = await proxied()
  const someone = await client(proxy.port)
  await expect.poll(() => proxy.connections).toBe(1)
  proxy.reset()
  await expect.poll(() => someone.isOpen).toBe(false)
  const back = await client(proxy.port)
  back.say('back')
  await expect.poll(() => back.told).toEqual(['re: back'])
})

test('it can lead to another server from the next connection on', async () => {
  const { proxy } = await proxied('one')
  const { port: other } = await proxied('two')
  const before = await client(proxy.port)
  before.say('a')
  await expect.poll(() => before.told).toEqual(['one: a'])
  proxy.redirect(other)
  const after = await client(proxy.port)
  after.say('b')
  before.say('c')
  await expect.poll(() => after.told).toEqual(['two: b'])
  await expect.poll(() => before.told.join()).toContain('one: c')
})

test('a server that goes away takes its clients along', async () => {
  const leaving = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1')
  await once(leaving, 'listening')
  const { proxy } = await proxied()
  proxy.redirect((leaving.address() as AddressInfo).port)
  const someone = await client(proxy.port)
  await expect.poll(() => someone.isOpen).toBe(false)
  leaving.close()
})
