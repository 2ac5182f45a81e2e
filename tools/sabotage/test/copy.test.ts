import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { copyOf } from '../copy.ts'

/** A repository of two packages, one of which uses the other and something that is installed. */
function repository(): string {
  const root = mkdtempSync(join(tmpdir(), 'tokenwell-sabotage-test-'))
  onTestFinished(() => rmSync(root, { recursive: true }))
  const files = {
    'package.json': '{}',
    '.gitignore': 'node_modules/\ndist/\n',
    'packages/one/package.json': '{}',
    'packages/one/src/index.ts': 'export const one = 1\n',
    'packages/one/dist/index.js': 'old',
    'packages/two/package.json': '{}',
    'node_modules/.pnpm/thing/index.js': 'installed',
  }
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true })
    writeFileSync(join(root, name), text)
  }
  mkdirSync(join(root, 'packages/two/node_modules/@scope'), { recursive: true })
  symlinkSync('../../../one', join(root, 'packages/two/node_modules/@scope/one'))
  symlinkSync('.pnpm/thing', join(root, 'node_modules/thing'))
  execFileSync('git', ['init', '-q'], { cwd: root })
  return root
}

const mutation = { name: 'wrong', file: 'packages/one/src/index.ts', find: '1', replace: '2', breaks: 'One is not one.' }

test('a copy is broken and mended, and the original stays as it is', () => {
  const root = repository()
  const copy = copyOf(root)
  onTestFinished(copy.remove)
  const read = (folder: string) => readFileSync(join(folder, mutation.file), 'utf8')
  const mend = copy.apply(mutation)
  expect([read(copy.folder), read(root)]).toEqual(['export const one = 2\n', 'export const one = 1\n'])
  mend()
  expect(read(copy.folder)).toBe('export const one = 1\n')
})

test('a copy has what git would take; its packages lead to one another, and to what is installed in the original', () => {
  const root = repository()
  const copy = copyOf(root)
  onTestFinished(copy.remove)
  expect(existsSync(join(copy.folder, 'packages/one/dist'))).toBe(false)
  const used = join(copy.folder, 'packages/two/node_modules/@scope/one')
  expect(realpathSync(used)).toBe(realpathSync(join(copy.folder, 'packages/one')))
  expect(realpathSync(join(copy.folder, 'node_modules/thing'))).toBe(realpathSync(join(root, 'node_modules/.pnpm/thing')))
})

test('a copy that is removed leaves the original whole', () => {
  const root = repository()
  const copy = copyOf(root)
  copy.remove()
  expect(existsSync(copy.folder)).toBe(false)
  expect(existsSync(join(root, 'node_modules/.pnpm/thing/index.js'))).toBe(true)
  expect(existsSync(join(root, mutation.file))).toBe(true)
})
