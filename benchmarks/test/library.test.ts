import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { library } from '../measure/library.ts'

test('a library is named with the version that is installed', () => {
  const manifest = new URL('../node_modules/@keyv/redis/package.json', import.meta.url)
  const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { readonly version: string }
  expect(library('@keyv/redis')).toBe(`@keyv/redis ${version.split('.').slice(0, 2).join('.')}`)
  expect(library('@keyv/redis', 'its store')).toMatch(/^its store \d+\.\d+$/)
  expect(() => library('no-such-library')).toThrow('no-such-library is not pinned to a version')
  expect(() => library('undici')).toThrow('undici is not pinned')
})
