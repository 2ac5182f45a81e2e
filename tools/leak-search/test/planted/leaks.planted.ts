import { channel } from 'node:diagnostics_channel'
import { it } from 'vitest'
import { record, secret } from '../../index.ts'

const value = secret(process.env.PLANTED_SECRET ?? '', 'the planted secret')

const leaks: Record<string, () => void> = {
  nothing: () => record('error', new Error('nothing to see')),
  error: () => record('error', new Error('outer', { cause: new Error(`token ${value}`) })),
  console: () => console.log('token', { value }),
  stdout: () => process.stdout.write(`${value}\n`),
  stderr: () => process.stderr.write(Buffer.from(`${value}\n`)),
  channel: () => channel('tokenwell').publish({ token: value }),
}

for (const name of (process.env.PLANT ?? '').split(',')) it(`leaks by ${name}`, () => leaks[name]?.())
