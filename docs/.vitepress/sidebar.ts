import { globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { DefaultTheme } from 'vitepress'
import { ROOT, urlOf } from './pages.ts'

/** A page of the repository under the title that it has, or a shorter one. */
function page(file: string, text?: string): DefaultTheme.SidebarItem {
  const link = urlOf(file)
  if (link === undefined) throw new Error(`${file} is no page of the site`)
  return { text: text ?? titleOf(file), link }
}

function titleOf(file: string): string {
  const [, title] = /^# (.+)$/m.exec(readFileSync(join(ROOT, file), 'utf8')) ?? []
  return title?.replaceAll('`', '') ?? basename(file, '.md')
}

const bare = (file: string) => file.replace(/\.md$/, '')
const all = (pattern: string) => globSync(pattern, { cwd: ROOT }).sort((a, b) => (bare(a) < bare(b) ? -1 : 1))

export const sidebar: DefaultTheme.SidebarItem[] = [
  {
    text: 'Use it',
    items: [
      page('docs/START.md'),
      page('docs/HOW-IT-WORKS.md'),
      page('docs/STORES.md'),
      page('docs/EVENT-ENDPOINTS.md'),
      page('docs/USER-TOKENS.md'),
      page('docs/SERVERLESS.md'),
      page('docs/TESTING.md'),
      page('docs/MIGRATING-FROM-THE-SDK.md', 'Moving from the official SDK'),
      page('docs/WRITING-A-STORE.md'),
      page('docs/FAQ.md'),
    ],
  },
  {
    text: 'Run it',
    items: [
      page('docs/DEPLOYING.md'),
      page('docs/RUNBOOK.md'),
      page('docs/ERRORS.md'),
      page('docs/SECURITY-MODEL.md'),
      page('docs/ENCRYPTION.md'),
    ],
  },
  {
    text: 'Look it up',
    items: [
      page('docs/OPTIONS.md'),
      { text: 'API reference', link: '/api/', collapsed: true, items: all('docs/api/!(index).md').map((file) => page(file)) },
      { text: 'Packages', collapsed: true, items: all('packages/*/README.md').map((file) => page(file)) },
    ],
  },
  {
    text: 'Trust it',
    items: [page('docs/GUARANTEES.md'), page('docs/PROOF.md'), page('docs/FLEET.md'), page('docs/BENCHMARKS.md')],
  },
  {
    text: 'Change it',
    items: [
      page('ARCHITECTURE.md'),
      page('CONTRIBUTING.md'),
      page('proof/README.md', 'Models'),
      page('SECURITY.md', 'Reporting a vulnerability'),
      { text: 'Decisions', collapsed: true, items: all('docs/decisions/*.md').map((file) => page(file)) },
    ],
  },
]

const listed = new Set(sidebar.flatMap(({ items = [] }) => items.map(({ link }) => link)))
for (const file of all('docs/*.md')) if (!listed.has(urlOf(file))) throw new Error(`${file} is in no group of the sidebar`)
