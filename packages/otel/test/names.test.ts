import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const PACKAGE = join(import.meta.dirname, '..')
const read = (path: string) => readFileSync(join(PACKAGE, path), 'utf8')

/** Every name in what stands between two such marks. */
function names(text: string, mark: string): string[] {
  const found = [...text.matchAll(new RegExp(`${mark}(tokenwell\\.[a-z_.]+)${mark}`, 'g'))].map(([, name = '']) => name)
  return [...new Set(found)].sort()
}

test('the names of metrics, spans and attributes are those that the README promises to keep', () => {
  const given = globSync('src/*.ts', { cwd: PACKAGE }).map(read).join('\n')
  expect(names(given, "'").length).toBeGreaterThan(25)
  expect(names(given, "'")).toEqual(names(read('README.md'), '`'))
})
