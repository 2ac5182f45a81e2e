import { globSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { basename, dirname, join, relative, resolve } from 'node:path'
import ts from 'typescript'
import { expect, test } from 'vitest'

const ROOT = resolve(import.meta.dirname, '../../..')
const PAGES = ['README.md', ...globSync(['packages/*/README.md', 'examples/*/README.md', 'docs/*.md'], { cwd: ROOT })]
/** What pages outside of packages import besides Tokenwell. */
const FOREIGN = {
  '@larksuiteoapi/node-sdk': ['./packages/lark-sdk/node_modules/@larksuiteoapi/node-sdk/types/index.d.ts'],
  'mysql2/promise': ['./examples/mysql-store/node_modules/mysql2/promise.d.ts'],
  ioredis: ['./packages/store-redis/node_modules/ioredis/built/index.d.ts'],
}

interface Block {
  readonly page: string
  /** What stands in a comment right above it: `<!-- given: … -->`, which it takes as given, or `<!-- file: … -->`, which it shows. */
  readonly comment: 'given' | 'file' | undefined
  readonly commented: string
  readonly code: string
}

/** Every block marked `ts`. */
function blocksOf(page: string): Block[] {
  const text = readFileSync(join(ROOT, page), 'utf8')
  const pattern = /(?:^<!-- (given|file):([\s\S]*?)-->\n+)?^```ts\n([\s\S]*?)^```$/gm
  return [...text.matchAll(pattern)].map(([, comment, commented = '', code = '']) => ({
    page,
    comment: comment as Block['comment'],
    commented,
    code,
  }))
}

/** The blocks that show no file, each as a module of its own beside the page. */
function snippetsOf(page: string): Map<string, string> {
  const blocks = blocksOf(page).filter(({ comment }) => comment !== 'file')
  const modules = blocks.map(({ commented, code }) => `${commented}\n${code}`)
  return new Map(modules.map((code, index) => [join(ROOT, dirname(page), `${basename(page, '.md')}-${index + 1}.ts`), code]))
}

/** The errors of all snippets under the repository's own compiler options. */
function errorsIn(snippets: ReadonlyMap<string, string>): string[] {
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [] }, ts.sys, ROOT)
  const host = ts.createCompilerHost(options)
  const { fileExists, getSourceFile, readFile } = host
  host.fileExists = (file) => snippets.has(file) || fileExists(file)
  host.readFile = (file) => snippets.get(file) ?? readFile(file)
  host.getSourceFile = (file, language, ...rest) => {
    const code = snippets.get(file)
    return code === undefined ? getSourceFile(file, language, ...rest) : ts.createSourceFile(file, code, language)
  }
  const lib = ['lib.es2023.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts']
  const lenient = { ...options, noUnusedLocals: false, lib, paths: { ...options.paths, ...FOREIGN } }
  const program = ts.createProgram([...snippets.keys()], lenient, host)
  return ts
    .getPreEmitDiagnostics(program)
    .filter(({ file }) => file !== undefined && snippets.has(file.fileName))
    .map(({ file, messageText }) => `${relative(ROOT, file?.fileName ?? '')}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`)
}

test('every TypeScript block of every README and of every page of docs/ compiles', () => {
  const snippets = new Map(PAGES.flatMap((page) => [...snippetsOf(page)]))
  expect(snippets.size).toBeGreaterThan(5)
  expect(errorsIn(snippets)).toEqual([])
  // The types of the official SDK take most of it.
}, 120_000)

test('every block that shows a file shows it as it is', () => {
  const shown = PAGES.flatMap(blocksOf).filter(({ comment }) => comment === 'file')
  expect(shown.length).toBeGreaterThan(5)
  for (const { commented, code } of shown) expect(code).toBe(readFileSync(join(ROOT, commented.trim()), 'utf8'))
})

/** What the blocks of a page import, by the names of the packages. */
function importedOn(page: string): Set<string> {
  const specifiers = blocksOf(page).flatMap(({ code }) =>
    [...code.matchAll(/(?:from|import) '([^'.][^']*)'/g)].map(([, from = '']) => from),
  )
  return new Set(specifiers.filter((from) => !isBuiltin(from)).map((from) => /^(?:@[^/]+\/)?[^/]+/.exec(from)?.[0] ?? from))
}

test('whoever installs what a page says can import what its blocks do', () => {
  const pages = PAGES.map((page) => ({ page, text: readFileSync(join(ROOT, page), 'utf8') })).filter(({ text }) =>
    /npm install /.test(text),
  )
  expect(pages.length).toBeGreaterThan(5)
  const missing = pages.flatMap(({ page, text }) => {
    const installed = [...text.matchAll(/npm install(?: --save-dev)?((?: @?[\w./-]+)+)/g)].flatMap(([, names = '']) =>
      names.trim().split(' '),
    )
    return [...importedOn(page)].filter((name) => !installed.includes(name)).map((name) => `${page}: ${name}`)
  })
  expect(missing).toEqual([])
})

test('a block that uses a name that is not there is caught', () => {
  const code = "import { createFeishuToken } from '@tokenwell/core/feishu'\nconsole.log(createFeishuToken)\n"
  expect(errorsIn(new Map([[join(ROOT, 'snippet-1.ts'), code]])).join()).toContain('createFeishuToken')
}, 60_000)
