import { defineConfig } from 'vitepress'
import { checkAnchors, repositoryLinks } from './links.ts'
import { mermaid } from './mermaid.ts'
import { NO_PAGES, placeOf, ROOT } from './pages.ts'
import { sidebar } from './sidebar.ts'

export default defineConfig({
  title: 'Tokenwell',
  description: 'One Feishu/Lark token for a whole fleet of Node.js services',
  lang: 'en',
  srcDir: ROOT,
  srcExclude: NO_PAGES,
  rewrites: placeOf,
  markdown: {
    anchor: { slugify: slug },
    config(md) {
      md.use(repositoryLinks).use(mermaid)
    },
  },
  themeConfig: {
    sidebar,
    outline: [2, 3],
    search: { provider: 'local' },
    nav: [
      { text: 'Start', link: '/START' },
      { text: 'Runbook', link: '/RUNBOOK' },
      { text: 'API', link: '/api/' },
    ],
  },
  // The index of the search is one.
  vite: { build: { chunkSizeWarningLimit: 2_000 } },
  buildEnd({ outDir }) {
    checkAnchors(outDir)
  },
})

/** As code hosts make them, so that a link to a heading works there and here. */
function slug(heading: string): string {
  return heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replace(/\s/g, '-')
}
