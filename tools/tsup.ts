import { readFileSync } from 'node:fs'
import { defineConfig } from 'tsup'

/** Every published package is built alike: each path its `exports` names, as ESM and CJS, with types for both. */
interface Manifest {
  readonly exports: Readonly<Record<string, unknown>>
}

const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as Manifest
const paths = Object.keys(manifest.exports).filter((path) => path !== './package.json')

export default defineConfig({
  entry: Object.fromEntries(
    paths.map((path) => (path === '.' ? ['index', 'src/index.ts'] : [`${path.slice(2)}/index`, `src/${path.slice(2)}/index.ts`])),
  ),
  format: ['esm', 'cjs'],
  dts: true,
  splitting: true,
  sourcemap: true,
  clean: true,
  target: 'node22.19',
  platform: 'node',
})
