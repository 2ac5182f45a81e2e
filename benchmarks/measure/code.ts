import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
/** What may change a figure. */
const MEASURED = ['packages', 'benchmarks', 'pnpm-lock.yaml']

/** The commit of the code that is measured, and that it was changed since if it was. */
export function thisCode(): string {
  const commit = git('rev-parse', '--short', 'HEAD')
  return git('status', '--porcelain', '--', ...MEASURED) === '' ? commit : `${commit}, changed`
}

function git(...given: readonly string[]): string {
  return execFileSync('git', given, { cwd: ROOT, encoding: 'utf8' }).trim()
}
