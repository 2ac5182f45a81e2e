import type { TokenStore } from '@tokenwell/core'
import { expect, test } from 'vitest'
import { errorOf } from '../../../../tools/leak-search/index.ts'
import { ANN, authorize } from '../support/user-world.ts'
import { createWorld, eventually, MINT, type Node, quiet, type World, watched } from '../support/world.ts'

type Question = 'read' | 'invalidate'

/** A way to a store on which one question waits until it is let go. */
function wayTo(inner: TokenStore) {
  const log: string[] = []
  let reads = 0
  let held: { readonly question: Question; readonly keyEnd: string } | undefined
  let release = (): void => {}
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  const passed = async (question: Question, key: string) => {
    if (question !== held?.question || !key.endsWith(held.keyEnd)) return
    log.push('asked')
    await released
    log.push('answered')
  }
  const store: TokenStore = {
    ...inner,
    read: async (keys, operation) => {
      reads += 1
      await passed('read', keys[0] ?? '')
      return inner.read(keys, operation)
    },
    invalidate: async (key, version, operation) => {
      await passed('invalidate', key)
      return inner.invalidate(key, version, operation)
    },
    close: async () => void log.push('closed'),
  }
  return {
    store,
    log,
    reads: () => reads,
    release: () => release(),
    hold: (question: Question, keyEnd: string) => {
      held = { question, keyEnd }
    },
  }
}

const questions: Readonly<Record<string, readonly [Question, string, (world: World, node: Node) => Promise<unknown>]>> = {
  'what the fleet has, before tokens are warmed': ['read', 'tenant-access-token/acme', (_, { tokens }) => tokens.warm(['acme'])],
  'whose authorisation ends soon': ['read', `user-access-token/${ANN}`, (_, { tokens }) => tokens.expiringAuthorizations([ANN])],
  'what has become of a login that was just stored': ['read', `user-access-token/${ANN}`, (world, node) => authorize(world, node)],
  'to reject what was forgotten': [
    'invalidate',
    `user-access-token/${ANN}`,
    async (world, node) => {
      await authorize(world, node)
      await node.tokens.user(ANN).forget()
    },
  ],
  'whether the platform throttles, for a caller who has gone': [
    'read',
    'rate-limit/tenant-access-token',
    (world, { tokens }) => {
      world.simulator.fault(MINT, { kind: 'hang' })
      return tokens.tenant('acme').get({ timeoutMs: 0 })
    },
  ],
}

test.each(Object.entries(questions))('close() waits for a store that is being asked %s', async (_, [question, keyEnd, ask]) => {
  const world = await createWorld()
  const way = wayTo(world.store)
  const node = world.node({ store: way.store })
  way.hold(question, keyEnd)
  const asking = watched(ask(world, node))
  await eventually(() => way.log.includes('asked'))
  const closing = watched(node.manager.close())
  await quiet()
  expect(closing.outcome).toBe('pending')
  expect(way.log).toEqual(['asked'])
  way.release()
  await closing.promise
  expect(way.log).toEqual(['asked', 'answered', 'closed'])
  await eventually(() => asking.outcome !== 'pending')
})

test('close() with a grace ends with a fetch that finds no ticket, and nothing goes on asking for one', async () => {
  const world = await createWorld({ ticket: false })
  world.simulator.setEventUrl(world.appId, 'http://127.0.0.1:1/nowhere')
  const way = wayTo(world.store)
  const node = world.node({ store: way.store })
  way.hold('read', 'app-ticket')
  const asking = errorOf(node.tokens.app.get())
  await eventually(() => way.log.includes('asked'))
  const closing = watched(node.manager.close({ graceMs: 60_000 }))
  await quiet()
  expect(closing.outcome).toBe('pending')
  way.release()
  expect(await asking).toMatchObject({ code: 'CLOSED' })
  await eventually(() => closing.outcome === 'resolved')
  expect(world.resends()).toBe(0)
  expect(world.clock.pending).toBe(0)
})

test('close() lets nobody go on asking the store: a long list ends with the questions under way', async () => {
  const world = await createWorld()
  const way = wayTo(world.store)
  const node = world.node({ store: way.store })
  const users = Array.from({ length: 500 }, (_, index) => `user-${index}`)
  way.hold('read', 'user-access-token/user-0')
  const asking = errorOf(node.tokens.expiringAuthorizations(users))
  await eventually(() => way.log.includes('asked'))
  const closing = node.manager.close()
  way.release()
  await closing
  expect(await asking).toMatchObject({ code: 'CLOSED' })
  expect(way.reads()).toBe(1)
})

test('once close() is done nothing asks the store any more, whatever is still called', async () => {
  const world = await createWorld()
  const way = wayTo(world.store)
  const node = world.node({ store: way.store })
  const user = node.tokens.user(ANN)
  await node.manager.close()
  expect(await errorOf(user.authorize({ code: 'a code' }))).toMatchObject({ code: 'CLOSED' })
  expect(await errorOf(user.forget())).toMatchObject({ code: 'CLOSED' })
  expect(await errorOf(node.tokens.tenant('acme').get())).toMatchObject({ code: 'CLOSED' })
  await quiet()
  expect(way.log).toEqual(['closed'])
  expect(way.reads()).toBe(0)
})
