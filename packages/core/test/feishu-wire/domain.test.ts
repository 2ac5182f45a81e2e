import { Agent as HttpAgent } from 'node:http'
import { Agent, MockAgent } from 'undici'
import { describe, expect, test } from 'vitest'
import { checkDispatcher, resolveDomain } from '../../src/feishu/http.ts'

describe('the option domain', () => {
  test.each([
    ['feishu', 'https://open.feishu.cn'],
    ['lark', 'https://open.larksuite.com'],
    ['https://open.feishu.cn/', 'https://open.feishu.cn'],
    ['https://gateway.example:8443/feishu/', 'https://gateway.example:8443/feishu'],
    ['http://localhost:3000', 'http://localhost:3000'],
    ['http://feishu.localhost', 'http://feishu.localhost'],
    ['http://127.0.0.1:3000', 'http://127.0.0.1:3000'],
    ['http://127.1', 'http://127.0.0.1'],
    ['http://[::1]:3000/x', 'http://[::1]:3000/x'],
  ])('%s means %s', (domain, baseUrl) => {
    expect(resolveDomain(domain)).toBe(baseUrl)
  })

  test.each([
    ['', 'got ""'],
    ['Feishu', 'got "Feishu"'],
    ['open.feishu.cn', 'got "open.feishu.cn"'],
    ['localhost:3000', 'got "localhost:3000"'],
    ['ftp://open.feishu.cn', 'got "ftp://open.feishu.cn"'],
    ['http://open.feishu.cn', 'travel in clear'],
    ['http://127.0.0.1.example.com', 'travel in clear'],
    ['http://localhost.example.com', 'travel in clear'],
    ['https://user@open.feishu.cn', 'user name or password'],
    ['https://open.feishu.cn?', 'query or fragment'],
    ['https://open.feishu.cn/?a=1', 'query or fragment'],
    ['https://open.feishu.cn#', 'query or fragment'],
    [undefined, 'got undefined'],
    [new URL('https://open.feishu.cn'), 'got object'],
  ])('%s is refused', (domain, message) => {
    expect(() => resolveDomain(domain)).toThrow(TypeError)
    expect(() => resolveDomain(domain)).toThrow(message)
    expect(() => resolveDomain(domain)).toThrow(/^domain must be/)
  })

  test('a password in it is not repeated', () => {
    for (const domain of ['https://user:hunter2@open.feishu.cn', 'https//user:hunter2@open.feishu.cn']) {
      expect(() => resolveDomain(domain)).toThrow(expect.not.objectContaining({ message: expect.stringContaining('hunter2') }))
    }
  })
})

describe('the option http.dispatcher', () => {
  test('takes what has dispatch(), or nothing', async () => {
    const agent = new Agent()
    const mock = new MockAgent()
    expect(checkDispatcher(agent, 'http.dispatcher')).toBe(agent)
    expect(checkDispatcher(mock, 'http.dispatcher')).toBe(mock)
    expect(checkDispatcher(undefined, 'http.dispatcher')).toBeUndefined()
    await Promise.all([agent.close(), mock.close()])
  })

  test.each([
    [null, 'null'],
    ['http://proxy', 'http://proxy'],
    [new HttpAgent(), 'Agent'],
    [{ dispatch: true }, 'Object'],
    [Object.create(null), 'nothing'],
  ])('refuses %s', (value, got) => {
    expect(() => checkDispatcher(value, 'http.dispatcher')).toThrow(TypeError)
    expect(() => checkDispatcher(value, 'http.dispatcher')).toThrow(/^http\.dispatcher must be/)
    expect(() => checkDispatcher(value, 'http.dispatcher')).toThrow(got)
  })
})
