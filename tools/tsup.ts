import { readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, isAbsolute, relative } from 'node:path'
import { defineConfig } from 'tsup'

/** Every published package is built alike: each path its `exports` names, as ESM and CJS, with types for both, and its programs beside them. */
interface Manifest {
  readonly version: string
  readonly engines: { readonly node: string }
  readonly exports: Readonly<Record<string, unknown>>
  readonly bin?: Readonly<Record<string, string>>
}

const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as Manifest
const paths = Object.keys(manifest.exports).filter((path) => path !== './package.json')

const modules = Object.fromEntries(
  paths.map((path) => (path === '.' ? ['index', 'src/index.ts'] : [`${path.slice(2)}/index`, `src/${path.slice(2)}/index.ts`])),
)
const programs = Object.fromEntries(
  Object.values(manifest.bin ?? {}).map((file) => [basename(file, '.js'), `src/${basename(file, '.js')}.ts`]),
)

interface SourceMap {
  file?: string
  sources: string[]
}

/** The CommonJS maps come with absolute paths of the machine that built them; a map names files as seen from its own folder. */
const relativeMaps = {
  name: 'relative-maps',
  buildEnd({ writtenFiles }: { writtenFiles: ReadonlyArray<{ readonly name: string }> }) {
    for (const { name } of writtenFiles) {
      if (!name.endsWith('.cjs.map')) continue
      const map = JSON.parse(readFileSync(name, 'utf8')) as SourceMap
      if (map.file !== undefined) map.file = basename(map.file)
      map.sources = map.sources.map((source) => (isAbsolute(source) ? relative(dirname(name), source) : source))
      writeFileSync(name, JSON.stringify(map))
    }
  },
}

export default defineConfig({
  plugins: [relativeMaps],
  define: { PACKAGE_VERSION: JSON.stringify(manifest.version) },
  loader: { '.lua': 'text', '.sql': 'text' },
  entry: { ...modules, ...programs },
  // `sqlite` is no module: only `node:sqlite` is.
  removeNodeProtocol: false,
  format: ['esm', 'cjs'],
  dts: { entry: modules },
  splitting: true,
  sourcemap: true,
  clean: true,
  target: manifest.engines.node.replace('>=', 'node'),
  platform: 'node',
})
