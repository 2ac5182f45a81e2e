import { globSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** Files of the repository that are pages of the site, as they are. */
const PAGES = ['*.md', 'docs/*.md', 'docs/api/*.md', 'docs/decisions/*.md', 'packages/*/README.md', 'proof/README.md']

/** The rest of what VitePress would find. */
export const NO_PAGES = ['{benchmarks,examples,tools}/**', 'packages/*/CHANGELOG.md', 'packages/*/*/**']

/** `docs/ERRORS.md` → `ERRORS.md`, `packages/core/README.md` → `packages/core/index.md`. */
export function placeOf(file: string): string {
  return file.replace(/^docs\//, '').replace(/README\.md$/, 'index.md')
}

const files = new Set(globSync(PAGES, { cwd: ROOT }))

/** Where the site has a file of the repository; undefined for one that is no page. */
export function urlOf(file: string): string | undefined {
  return files.has(file) ? `/${placeOf(file).replace(/(^|\/)index\.md$/, '$1')}` : undefined
}
