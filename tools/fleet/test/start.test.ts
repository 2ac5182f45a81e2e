import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { FleetNode } from '../node.ts'

const APP = { appId: 'cli_a', appSecret: 'b', verificationToken: 'c', encryptKey: 'd' }

/** The address of a store that ends with the test. */
function sqlite() {
  const folder = mkdtempSync(join(tmpdir(), 'tokenwell-start-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return { kind: 'sqlite', path: join(folder, 'records.db') } as const
}

const children = () => process.getActiveResourcesInfo().filter((resource) => resource === 'ProcessWrap').length

test('a process that cannot start is ended: nobody is given it who could', async () => {
  const stillborn = { node: 'stillborn', store: sqlite(), domain: 'no address', app: APP }
  const start = () => expect(FleetNode.start(stillborn, () => {})).rejects.toThrow(/^stillborn: TypeError: .*domain/)
  // The first has also started who looks after them all.
  await start()
  const after = children()
  await start()
  expect(children()).toBe(after)
})

test('what a process says before it ends is heard, however late its parent gets to read it', async () => {
  const node = await FleetNode.start({ node: 'talkative', store: sqlite(), domain: 'http://127.0.0.1:1', app: APP }, () => {})
  await node.order('tokens', { of: [{ kind: 'app', id: '' }], timeoutMs: 100 })
  // Their answers are several times what fits into the channel.
  const answers = Promise.all(Array.from({ length: 2_000 }, () => node.order('status', undefined)))
  const closing = node.close()
  setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_500))
  const [statuses, ending] = await Promise.all([answers, closing])
  expect(ending).toBe(0)
  expect(statuses.every(([app]) => app !== undefined)).toBe(true)
})
