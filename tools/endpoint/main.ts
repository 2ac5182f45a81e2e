/** `npm run endpoint -- express`: exits with 1 if something was not as it should be, with 2 for a wrong argument. */
import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type Endpoint, startEndpoint } from './endpoint.ts'
import { exchanges } from './exchanges.ts'

const EXAMPLES = resolve(import.meta.dirname, '../../examples')

/** Those that have an endpoint: each has a test of it. */
const names = readdirSync(EXAMPLES).filter((name) => existsSync(join(EXAMPLES, name, 'test', 'endpoint.test.ts')))

async function run(folder: string): Promise<number> {
  const endpoint = await startEndpoint({ folder, secret: () => randomBytes(16).toString('hex') })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(signal, () => void endpoint.stop().then(() => process.exit(1)))
  console.log(`The simulated platform at ${endpoint.platform.url} and the endpoint at ${endpoint.eventUrl}, which\n`)
  const faults = await hold(endpoint)
  await endpoint.stop()
  console.log(`\nThe server printed:\n\n${endpoint.server.output.trim().replace(/^/gm, '  ')}`)
  return faults === 0 ? 0 : 1
}

async function hold(endpoint: Endpoint): Promise<number> {
  let faults = 0
  for (const exchange of exchanges) {
    try {
      await exchange.hold(endpoint)
      console.log(`✓ ${exchange.says}`)
    } catch (error) {
      faults += 1
      console.log(`✗ ${exchange.says}\n${error}`)
    }
  }
  return faults
}

const [name, ...more] = process.argv.slice(2)
if (name === undefined || !names.includes(name) || more.length > 0) {
  console.error(`usage: npm run endpoint -- ${names.join(' | ')}`)
  process.exitCode = 2
} else {
  process.exitCode = await run(join(EXAMPLES, name))
}
