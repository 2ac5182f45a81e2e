import { readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, isAbsolute, relative } from 'node:path'
import { defineConfig } from 'tsup'

/** Every published package is built alike: each path its `exports` names, as ESM and CJS, with types for both. */
interface Manifest {
  readonly exports: Readonly<Record<string, unknown>>
}

const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as Manifest
const paths = Object.keys(manifest.exports).filter((path) => path !== './package.json')

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
  loader: { '.lua': 'text', '.sql': 'text' },
  entry: Object.fromEntries(
    paths.map((path) => (path === '.' ? ['index', 'src/index.ts'] : [`${path.slice(2)}/index`, `src/${path.slice(2)}/index.ts`])),
  ),
  // `sqlite` is no module: only `node:sqlite` is.
  removeNodeProtocol: false,
  format: ['esm', 'cjs'],
  dts: true,
  splitting: true,
  sourcemap: true,
  clean: true,
  target: 'node22.19',
  platform: 'node',
})
