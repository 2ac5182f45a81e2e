import { existsSync, globSync, readFileSync, statSync } from 'node:fs'
import { join, posix, relative } from 'node:path'
import type { MarkdownRenderer } from 'vitepress'
import { ROOT, urlOf } from './pages.ts'

/**
 * Pages link to files of the repository, so that they can be read where the repository is. On the site a link leads to the page that the
 * file is there, and what is no page, such as a source, is named without a link.
 * @throws Error, from rendering, for a link to a file that is not there
 */
export function repositoryLinks(md: MarkdownRenderer): void {
  md.core.ruler.push('repository-links', ({ tokens, env }) => {
    for (const { children } of tokens) {
      let isNamed = false
      for (const token of children ?? []) {
        if (token.type === 'link_close' && isNamed) {
          token.tag = 'span'
          isNamed = false
        }
        if (token.type !== 'link_open') continue
        const href = token.attrGet('href') ?? ''
        if (/^([a-z]+:|#|\/)/.test(href)) continue
        const url = target(String(env.realPath ?? env.path), href)
        if (url !== undefined) token.attrSet('href', url)
        else {
          token.tag = 'span'
          token.attrs = []
          isNamed = true
        }
      }
    }
  })
}

function target(page: string, href: string): string | undefined {
  const [path = '', hash] = href.split('#')
  const file = posix.join(posix.dirname(relative(ROOT, page)), decodeURIComponent(path))
  if (!existsSync(join(ROOT, file))) throw new Error(`${relative(ROOT, page)} links to ${href}, which is not there`)
  const url = urlOf(statSync(join(ROOT, file)).isDirectory() ? posix.join(file, 'README.md') : file)
  return url === undefined || hash === undefined ? url : `${url}#${hash}`
}

/**
 * Looks whether every link within the site leads to a heading that is there. The pages themselves are VitePress's to check.
 * @throws Error that lists those that do not
 */
export function checkAnchors(site: string): void {
  const pages = new Map(globSync('**/*.html', { cwd: site }).map((file) => [`/${file}`, readFileSync(join(site, file), 'utf8')]))
  const anchors = new Map([...pages].map(([url, html]) => [url, new Set([...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id))]))
  const dead = [...pages].flatMap(([from, html]) =>
    [...html.matchAll(/ href="(\/[^"#]*)?#([^"]+)"/g)]
      .filter(([, url = from, id = '']) => !anchors.get(url.endsWith('/') ? `${url}index.html` : url)?.has(decodeURIComponent(id)))
      .map(([, url = '', id]) => `${from}: ${url}#${id}`),
  )
  if (dead.length > 0) throw new Error(`links to headings that are not there:\n${dead.join('\n')}`)
}
