import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { ROOT } from './fetch.mjs'

const MARKER = join(ROOT, 'node_modules', '.cache', 'tokenwell', 'installed')

/** Everything that decides what an install produces. */
function fingerprint() {
  const hash = createHash('sha256').update(`${process.platform}-${process.arch}`)
  const folders = ['packages', 'examples', 'tools'].flatMap((group) =>
    existsSync(join(ROOT, group)) ? readdirSync(join(ROOT, group)).map((name) => join(group, name)) : [],
  )
  const manifests = ['.', 'benchmarks', 'docs', ...folders].map((folder) => join(folder, 'package.json'))
  for (const file of ['pnpm-lock.yaml', 'pnpm-workspace.yaml', ...manifests.sort()]) {
    if (existsSync(join(ROOT, file))) hash.update(`\n${file}\n`).update(readFileSync(join(ROOT, file)))
  }
  return hash.digest('hex')
}

/** Whether `node_modules` is what the lockfile and the manifests say. */
export function isInstalled() {
  const modules = join(ROOT, 'node_modules', '.modules.yaml')
  return existsSync(modules) && existsSync(MARKER) && readFileSync(MARKER, 'utf8') === fingerprint()
}

export function markInstalled() {
  mkdirSync(dirname(MARKER), { recursive: true })
  writeFileSync(MARKER, fingerprint())
}
