import { execFileSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type Mutation, mutated } from './mutation.ts'

/** A copy of the working tree that can be broken. What is installed is shared with the original. */
export interface Copy {
  readonly folder: string
  /** Breaks the copy. @returns what mends it */
  apply(mutation: Mutation): () => void
  remove(): void
}

/** Copies what git knows or would take, as it stands. */
export function copyOf(root: string): Copy {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root, encoding: 'utf8' })
  const files = listed.split('\0').filter((file) => file !== '' && existsSync(join(root, file)))
  const folder = mkdtempSync(join(tmpdir(), 'tokenwell-sabotage-'))
  for (const file of files) cpSync(join(root, file), join(folder, file))
  for (const manifest of files.filter((file) => /(^|\/)package\.json$/.test(file)))
    link(root, folder, join(dirname(manifest), 'node_modules'))
  return {
    folder,
    apply(mutation) {
      const file = join(folder, mutation.file)
      const source = readFileSync(file, 'utf8')
      writeFileSync(file, mutated(source, mutation))
      return () => writeFileSync(file, source)
    },
    remove: () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }),
  }
}

/** Links to packages are copied as links: those from one package of the repository to another lead to the copy. */
function link(root: string, folder: string, modules: string): void {
  const from = join(root, modules)
  if (!existsSync(from)) return
  for (const name of readdirSync(from)) {
    if (name.startsWith('.') && name !== '.pnpm') continue
    const [source, target] = [join(from, name), join(folder, modules, name)]
    mkdirSync(dirname(target), { recursive: true })
    if (lstatSync(source).isSymbolicLink()) symlinkSync(readlinkSync(source), target)
    else if (name.startsWith('@')) cpSync(source, target, { recursive: true, verbatimSymlinks: true })
    else symlinkSync(source, target)
  }
}
