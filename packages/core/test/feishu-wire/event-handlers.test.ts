import { describe, expect, test } from 'vitest'
import {
  createNodeEventHandler,
  createWebEventHandler,
  type EventHandlerOptions,
  type EventReceiver,
} from '../../src/feishu/event-handlers.ts'
import { MIB, ok, post, push, receiver, serve } from './event-server.ts'

/** The same behaviour through both handlers. */
const both: [
  string,
  (tokens: EventReceiver, options?: EventHandlerOptions) => Promise<(body: string, init?: RequestInit) => Promise<Response>>,
][] = [
  ['createWebEventHandler', async (tokens, options) => (body, init) => createWebEventHandler(tokens, options)(post(body, init))],
  [
    'createNodeEventHandler',
    async (tokens, options) => {
      const { port } = await serve(createNodeEventHandler(tokens, options))
      return (body, init) => push(port, body, init)
    },
  ],
]

describe.each(both)('%s', (name, start) => {
  test('refuses what cannot receive events, and options that are none', async () => {
    const wrong: [unknown, unknown, string][] = [
      [undefined, {}, 'tokens: expected an object with receiveEvent()'],
      [{}, {}, 'tokens: expected an object with receiveEvent()'],
      [receiver(), null, `${name}: expected an object`],
      [receiver(), { onevent() {} }, `${name}: there is no option "onevent"`],
      [receiver(), { onEvent: 'log' }, 'onEvent: expected a function'],
      [receiver(), { onError: {} }, 'onError: expected a function'],
      [receiver(), { clock: {} }, 'clock: expected an object with wall()'],
    ]
    for (const [tokens, options, message] of wrong) {
      // As a program in JavaScript may call it.
      await expect(async () => (await start(tokens as EventReceiver, options as EventHandlerOptions))('{}')).rejects.toThrow(message)
    }
  })

  test('passes the raw body and the headers on, and the reply back', async () => {
    const tokens = receiver()
    const response = await (await start(tokens))('{"é": 1}\n')
    expect(tokens.received).toEqual([{ body: '{"é": 1}\n', nonce: 'n' }])
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('application/json')
    expect(await response.text()).toBe('{"challenge":"x"}')
  })

  test('takes an empty body', async () => {
    const tokens = receiver({ ...ok, body: '' })
    expect(await (await (await start(tokens))('')).text()).toBe('')
    expect(tokens.received).toEqual([{ body: '', nonce: 'n' }])
  })

  test('takes POST only', async () => {
    const tokens = receiver()
    const response = await (await start(tokens))('x', { method: 'PUT' })
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST'])
    expect(tokens.received).toEqual([])
  })

  test('reads 1 MiB', async () => {
    const tokens = receiver()
    expect((await (await start(tokens))('x'.repeat(MIB))).status).toBe(200)
    expect(tokens.received[0]?.body).toHaveLength(MIB)
  })

  test('waits for onEvent with any other event before it answers', async () => {
    const steps: unknown[] = []
    const onEvent = async (event: unknown) => {
      await new Promise(setImmediate)
      steps.push(event)
    }
    const handle = await start(receiver({ ...ok, handled: false, event: { type: 'message' } }), { onEvent })
    expect((await handle('{}')).status).toBe(200)
    expect(steps).toEqual([{ type: 'message' }])
  })

  test('does not call onEvent when there is no other event, and does without it', async () => {
    const onEvent = () => expect.unreachable()
    expect((await (await start(receiver(), { onEvent }))('{}')).status).toBe(200)
    expect((await (await start(receiver({ ...ok, event: {} })))('{}')).status).toBe(200)
  })

  test('answers 500 when onEvent fails, so that the platform delivers again', async () => {
    const failures: unknown[] = []
    const failure = new Error('queue full of hunter2')
    const onEvent = () => Promise.reject(failure)
    const handle = await start(receiver({ ...ok, event: {} }), { onEvent, onError: (error) => failures.push(error) })
    const response = await handle('{}')
    expect(response.status).toBe(500)
    expect(await response.text()).not.toContain('hunter2')
    expect(failures).toEqual([failure])
  })

  test('answers 500 when receiveEvent fails', async () => {
    const handle = await start(receiver(new Error('store down')))
    expect((await handle('{}')).status).toBe(500)
  })
})
