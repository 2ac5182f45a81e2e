import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { FOLDER_VARIABLE, randomSecret, secret } from '../index.ts'

const vitest = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs')
const config = fileURLToPath(new URL('planted/vitest.config.ts', import.meta.url))

/** A whole run of its own. */
function run(plant: string) {
  const value = randomBytes(24).toString('base64url')
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('VITEST') && name !== FOLDER_VARIABLE)
  const env = { ...Object.fromEntries(inherited), PLANT: plant, PLANTED_SECRET: value, NO_COLOR: '1' }
  const { status, stdout, stderr } = spawnSync(process.execPath, [vitest, 'run', '--config', config, '--silent'], { env, encoding: 'utf8' })
  return { status, said: stdout + stderr, value }
}

describe('a run with the leak search', () => {
  it('passes when nothing leaks', () => {
    const { status, said } = run('nothing')
    expect(said).toContain('1 passed')
    expect(status, said).toBe(0)
  })

  it('fails when something leaks, however it got out, and names where', () => {
    const { status, said, value } = run('error,console,stdout,stderr,channel')
    expect(said).toContain('5 passed')
    expect(status).not.toBe(0)
    for (const source of ['error', 'console.log', 'stdout', 'stderr', 'diagnostics channel']) {
      expect(said).toContain(`the planted secret (raw) in ${source}, during leaks.planted.ts > leaks by`)
    }
    const report = said.slice(said.indexOf('leak search:'))
    expect(report).not.toContain(value.slice(0, 12))
  })

  it('registers secrets long enough to be told from chance', () => {
    expect(randomSecret('unused')).toHaveLength(32)
    expect(() => secret('short', 'a ticket')).toThrow('a ticket')
  })
})
