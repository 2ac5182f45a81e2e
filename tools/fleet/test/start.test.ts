import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { FleetNode } from '../node.ts'

const children = () => process.getActiveResourcesInfo().filter((resource) => resource === 'ProcessWrap').length

test('a process that cannot start is ended: nobody is given it who could', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tokenwell-start-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const stillborn = {
    node: 'stillborn',
    store: { kind: 'sqlite', path: join(folder, 'records.db') },
    domain: 'no address',
    app: { appId: 'cli_a', appSecret: 'b', verificationToken: 'c', encryptKey: 'd' },
  } as const
  const start = () => expect(FleetNode.start(stillborn, () => {})).rejects.toThrow(/^stillborn: TypeError: .*domain/)
  // The first has also started who looks after them all.
  await start()
  const after = children()
  await start()
  expect(children()).toBe(after)
})
