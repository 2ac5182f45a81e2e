import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
/** What may change a figure. */
const MEASURED = ['packages', 'benchmarks', 'pnpm-lock.yaml']

/**
 * The commit of the code that is measured, and the tree of its packages, by which they are known though history be rewritten; and that it was
 * changed since if it was.
 */
export function thisCode(root = ROOT): string {
  const git = (...given: readonly string[]) => execFileSync('git', given, { cwd: root, encoding: 'utf8' }).trim()
  const commit = `${git('rev-parse', '--short', 'HEAD')} (packages ${git('rev-parse', '--short', 'HEAD:packages')})`
  return git('status', '--porcelain', '--', ...MEASURED) === '' ? commit : `${commit}, changed`
}

/** What {@link thisCode} says of code that is all in a commit. */
export const COMMITTED = /^[0-9a-f]{7,} \(packages [0-9a-f]{7,}\)$/
