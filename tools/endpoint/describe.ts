import { join } from 'node:path'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { randomSecret, record } from '../leak-search/index.ts'
import { type Endpoint, startEndpoint } from './endpoint.ts'
import { exchanges } from './exchanges.ts'

export interface ExampleTests {
  /** Of the example's tests. */
  readonly folder: string
  /** What Node is given, in the example's folder, to start its server with a body that was parsed before it comes to the endpoint. */
  readonly parsedFirst: readonly string[]
  /** What those are told who parsed the body first. */
  readonly advice: string
}

/** Some are compiled first, and Next.js looks for the sources of an error. */
const START_MS = 120_000

/** The tests of an example: the platform's whole conversation with it, and what happens where the body was parsed first. */
export function describeExample(name: string, { folder, parsedFirst, advice }: ExampleTests): void {
  const example = join(folder, '..')

  describe(`the endpoint in ${name}`, () => {
    let endpoint: Endpoint
    beforeAll(async () => {
      endpoint = await startEndpoint({ folder: example, secret: randomSecret })
      return async () => {
        record('output of the server', endpoint.server.output)
        await endpoint.stop()
      }
    }, START_MS)

    for (const { says, hold } of exchanges) test(says, () => hold(endpoint))

    test('where the body was parsed first, answers 500, and the server says what to do', { timeout: START_MS }, async () => {
      const { platform, appId, server, stop } = await startEndpoint({ folder: example, args: parsedFirst, secret: randomSecret })
      onTestFinished(stop)
      const { status, delivery } = await platform.pushTicket(appId)
      expect({ status, state: delivery.state }).toEqual({ status: 500, state: 'pending' })
      await server.printed(/the raw body of the event is needed/)
      expect(server.output).toContain(advice)
      record('output of the server', server.output)
    })
  })
}
