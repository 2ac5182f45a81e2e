import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ROOT } from '../run/fetch.mjs'
import type { Manifest } from './contents.ts'

type Program = readonly [title: string, file: string]

interface Project {
  readonly folder: string
  /** Run as they are. */
  readonly programs: readonly Program[]
  /** Come out of the type check. */
  readonly compiled: readonly Program[]
}

const consumer = (file: string) => fileURLToPath(new URL(`consumer/${file}`, import.meta.url))

/** Every path a user can import. */
function entries(manifests: readonly Manifest[]): string[] {
  return manifests.flatMap(({ name, exports = {} }) =>
    Object.keys(exports)
      .filter((path) => path !== './package.json')
      .map((path) => name + path.slice(1)),
  )
}

/** The first program of the README. */
function quickStart(): string {
  const [, code] = /^## Use it$[\s\S]*?^```ts\n([\s\S]*?)^```$/m.exec(readFileSync(join(ROOT, 'README.md'), 'utf8')) ?? []
  if (code === undefined) throw new Error('README.md has no TypeScript block under "Use it"')
  return code
}

/** As in the manifest of a project. */
const KINDS = [
  ['esm', 'module'],
  ['cjs', 'commonjs'],
] as const

/** An empty project of each kind of module, which share what is installed, with the same sources to try in both. */
export function makeProject(folder: string, manifests: readonly Manifest[]): Project {
  mkdirSync(folder, { recursive: true })
  const write = (file: string, text: string) => writeFileSync(join(folder, file), text)
  const { devDependencies = {} } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Manifest
  write(
    'package.json',
    JSON.stringify({ name: 'consumer', private: true, devDependencies: { '@types/node': devDependencies['@types/node'] } }),
  )
  const compilerOptions = {
    target: 'es2023',
    lib: ['es2023'],
    module: 'nodenext',
    types: ['node'],
    strict: true,
    exactOptionalPropertyTypes: true,
    rootDir: '.',
    outDir: 'out',
  }
  write('tsconfig.json', JSON.stringify({ compilerOptions, include: KINDS.map(([kind]) => kind) }))

  const paths = entries(manifests)
  const imports = paths.map((path, at) => `import * as entry${at} from '${path}'`)
  const each = paths.map((path, at) => `  ['${path}', entry${at}],`)
  const everyEntry = [
    ...imports,
    'const entries: ReadonlyArray<readonly [string, object]> = [',
    ...each,
    ']',
    "const empty = entries.filter(([, entry]) => Object.keys(entry).filter((name) => name !== 'default').length === 0)",
    "if (empty.length > 0) throw new Error('exports nothing: ' + empty.map(([path]) => path).join(', '))",
    '',
  ].join('\n')
  for (const [kind, type] of KINDS) {
    for (const place of [kind, join('out', kind)]) {
      mkdirSync(join(folder, place), { recursive: true })
      write(join(place, 'package.json'), JSON.stringify({ type }))
    }
    write(join(kind, 'every-entry.ts'), everyEntry)
    for (const name of ['quick-start', 'fake-tokens']) copyFileSync(consumer(`${name}.ts`), join(folder, kind, `${name}.ts`))
  }
  write(join('esm', 'readme.ts'), quickStart())
  for (const file of ['undici-stays-away.mjs', 'undici-stays-away.cjs', 'run-readme.mjs', 'simulator-program.mjs']) {
    copyFileSync(consumer(file), join(folder, file))
  }

  return {
    folder,
    programs: [
      ['imported core leaves undici alone', 'undici-stays-away.mjs'],
      ['required core leaves undici alone', 'undici-stays-away.cjs'],
      ['the simulator runs as a program', 'simulator-program.mjs'],
    ],
    compiled: [
      ['every entry can be imported', join('out', 'esm', 'every-entry.js')],
      ['every entry can be required', join('out', 'cjs', 'every-entry.js')],
      ['the quick start runs as ESM', join('out', 'esm', 'quick-start.js')],
      ['the quick start runs as CommonJS', join('out', 'cjs', 'quick-start.js')],
      ['the quick start of the README runs as it is written', 'run-readme.mjs'],
      ['fake tokens need no test runner, as ESM', join('out', 'esm', 'fake-tokens.js')],
      ['fake tokens need no test runner, as CommonJS', join('out', 'cjs', 'fake-tokens.js')],
    ],
  }
}
