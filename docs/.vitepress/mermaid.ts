import { renderMermaidSVG } from 'beautiful-mermaid'
import type { MarkdownRenderer } from 'vitepress'

/** With more than this, lines cross and labels lie on one another, whoever draws them. */
const MOST_TRANSITIONS = 16

/** Draws the blocks marked `mermaid`, while the site is built: the reader's browser loads no script for it. */
export function mermaid(md: MarkdownRenderer): void {
  const { fence } = md.renderer.rules
  md.renderer.rules.fence = (tokens, index, ...rest) => {
    const { info = '', content = '' } = tokens[index] ?? {}
    if (info.trim() !== 'mermaid') return fence?.(tokens, index, ...rest) ?? ''
    const transitions = transitionsOf(content)
    return transitions.length > MOST_TRANSITIONS ? table(md, transitions) : `<div class="diagram" v-pre>${draw(content)}</div>\n`
  }
}

/** The colours and letters are those of the page: `theme/style.css` says so for light and dark. */
function draw(code: string): string {
  const svg = renderMermaidSVG(code, { bg: 'var(--diagram-bg)', fg: 'var(--diagram-fg)', transparent: true })
  // A page takes no style of its own, and this one would ask a server of somebody else for letters.
  return svg.replace(/<style>[\s\S]*?<\/style>/, '')
}

interface Transition {
  readonly from: string
  readonly to: string
  readonly when: string
}

function transitionsOf(code: string): Transition[] {
  if (!code.startsWith('stateDiagram')) return []
  return [...code.matchAll(/^ *(\w+) --> (\w+): (.+)$/gm)].map(([, from = '', to = '', when = '']) => ({ from, to, when }))
}

function table(md: MarkdownRenderer, transitions: readonly Transition[]): string {
  const rows = transitions.map(({ from, to, when }) => `| \`${from}\` | \`${to}\` | ${when} |`)
  return md.render(['| from | to | when |', '|---|---|---|', ...rows].join('\n'), {})
}
