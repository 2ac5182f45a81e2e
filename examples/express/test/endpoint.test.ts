import { join } from 'node:path'
import { describeExample, startEndpoint } from '@tokenwell/endpoint'
import { expect, onTestFinished, test } from 'vitest'
import { randomSecret } from '../../../tools/leak-search/index.ts'

describeExample('Express', {
  folder: import.meta.dirname,
  parsedFirst: ['test/parsed-first.ts'],
  advice: "Express: mount express.raw({ type: '*/*' }) on this route, before any express.json().",
})

test('express.raw() may have read the body first', async () => {
  const folder = join(import.meta.dirname, '..')
  const { platform, appId, stop } = await startEndpoint({ folder, args: ['test/raw-first.ts'], secret: randomSecret })
  onTestFinished(stop)
  const { status, acknowledged } = await platform.pushTicket(appId)
  expect({ status, acknowledged }).toEqual({ status: 200, acknowledged: true })
})
