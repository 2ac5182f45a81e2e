import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { COMMITTED, thisCode } from '../measure/code.ts'
import { programsHash } from '../measure/programs.ts'

let folder = ''

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tokenwell-bench-'))
})

afterEach(() => {
  rmSync(folder, { recursive: true })
})

function write(name: string, text: string): void {
  const file = join(folder, name)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
}

test('the code that is measured is that of a commit, unless what may change a figure was changed since', () => {
  const git = (...given: string[]) =>
    execFileSync('git', ['-c', 'user.name=test', '-c', 'user.email=test@localhost', ...given], { cwd: folder })
  write('packages/core/index.ts', 'one')
  write('README.md', 'one')
  git('init', '--quiet')
  git('add', '.')
  git('commit', '--quiet', '--message', 'One')
  expect(thisCode(folder)).toMatch(COMMITTED)
  const committed = thisCode(folder)
  write('README.md', 'two')
  expect(thisCode(folder)).toBe(committed)
  write('packages/core/index.ts', 'two')
  expect(thisCode(folder)).toBe(`${committed}, changed`)
  expect(thisCode(folder)).not.toMatch(COMMITTED)
  write('packages/core/index.ts', 'one')
  // The same packages, whatever the commit is called.
  git('commit', '--quiet', '--allow-empty', '--amend', '--message', 'Another')
  expect(thisCode(folder).split(' ')[0]).not.toBe(committed.split(' ')[0])
  expect(thisCode(folder).split('(')[1]).toBe(committed.split('(')[1])
})

test('programs are others when they, or anything that they import or start, is another; but not for a comment or a type', () => {
  const files: Readonly<Record<string, string>> = {
    'a/index.ts': "import { b } from '../b.ts'\nimport type { T } from '../types.ts'\nnew URL('worker.ts', import.meta.url)\n",
    'a/worker.ts': `// One.\nimport {\n  c,\n} from './c.ts'\nawait import(\`./contenders/\${name}.ts\`)\n`,
    'a/c.ts': '/**\n * What it is.\n */\nexport const c = 1\n',
    'a/contenders/one.ts': "export { d } from '../../d.ts'\n",
    'b.ts': 'export const b = 1\n',
    'd.ts': 'export const d = 1\n',
    'types.ts': 'export type T = 1\n',
    'other.ts': 'export const other = 1\n',
  }
  for (const [name, text] of Object.entries(files)) write(name, text)
  const hash = () => programsHash([pathToFileURL(join(folder, 'a/index.ts'))])
  const first = hash()
  const changed = Object.entries(files).filter(([name, text]) => {
    write(name, `${text}export const more = 1\n`)
    const isOther = hash() !== first
    write(name, text)
    return isOther
  })
  expect(changed.map(([name]) => name)).toEqual(['a/index.ts', 'a/worker.ts', 'a/c.ts', 'a/contenders/one.ts', 'b.ts', 'd.ts'])
  write('a/worker.ts', String(files['a/worker.ts']).replace('// One.', '// Another.\n// And more.'))
  write('a/c.ts', String(files['a/c.ts']).replace('What it is', 'What it was'))
  expect(hash()).toBe(first)
})
