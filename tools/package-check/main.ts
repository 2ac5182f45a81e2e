// Looks at every published package the way its user gets it: packed, linted, installed into an empty project, imported, required, typed, run.
//
//   node tools/package-check/main.ts [--node 22,24,26] [--keep]
//
// The packages must be built. `--node` (or TOKENWELL_PACKAGE_NODES) names further Nodes to run the installed program on.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import ts from 'typescript'
import { fetchPackage, ROOT } from '../run/fetch.mjs'
import { provideNode } from '../run/node.mjs'
import { contentProblems, type Manifest } from './contents.ts'
import { licenceProblems } from './licences.ts'
import { makeProject } from './project.ts'

interface Package {
  readonly folder: string
  readonly manifest: Manifest
  readonly tarball: string
  readonly unpacked: string
}

/** Besides that of this repository: the oldest that is supported, and the last before 6. */
const OLDER_TYPESCRIPTS = ['5.6.3', '5.9.3']

const { values } = parseArgs({ options: { node: { type: 'string' }, keep: { type: 'boolean', default: false } } })
const moreNodes = (values.node ?? process.env.TOKENWELL_PACKAGE_NODES ?? '').split(',').filter((version) => version !== '')
const scratch = mkdtempSync(join(tmpdir(), 'tokenwell-packages-'))
let failures = 0

function verdict(title: string, problems: string): boolean {
  const failed = problems.trim() !== ''
  if (failed) failures += 1
  console.log(`${failed ? '✗' : '✓'} ${title}${failed ? `\n${problems.trim().replace(/^/gm, '    ')}` : ''}`)
  return !failed
}

/** Runs a program; its whole output is the problem when it fails. */
function run(command: string, args: readonly string[], cwd: string): string {
  const shell = process.platform === 'win32' && !command.endsWith('.exe')
  const result = spawnSync(command, args, { cwd, encoding: 'utf8', shell, timeout: 300_000 })
  if (result.status === 0) return ''
  const ending = result.error?.message ?? (result.signal === null ? `exit code ${result.status}` : `ended by ${result.signal}`)
  return `${result.stdout ?? ''}${result.stderr ?? ''}\n${command} ${args.join(' ')}: ${ending}`
}

function packAll(): Package[] {
  const packages: Package[] = []
  for (const name of readdirSync(join(ROOT, 'packages'))) {
    const folder = join(ROOT, 'packages', name)
    const { private: isPrivate } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest
    if (isPrivate) continue
    const destination = join(scratch, 'packed', name)
    mkdirSync(destination, { recursive: true })
    if (!verdict(`${name}: packs`, run('pnpm', ['pack', '--pack-destination', destination], folder))) continue
    const file = readdirSync(destination).find((each) => each.endsWith('.tgz'))
    if (file === undefined) throw new Error(`pnpm pack left no tarball in ${destination}`)
    const tarball = join(destination, file)
    if (!verdict(`${name}: unpacks`, run('tar', ['-xzf', file], destination))) continue
    const unpacked = join(destination, 'package')
    const manifest = JSON.parse(readFileSync(join(unpacked, 'package.json'), 'utf8')) as Manifest
    packages.push({ folder: name, manifest, tarball, unpacked })
  }
  return packages
}

function checkAsUser(packages: readonly Package[]): void {
  const project = makeProject(
    join(scratch, 'project'),
    packages.map((each) => each.manifest),
  )
  const install = ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error', ...packages.map((each) => each.tarball)]
  if (!verdict('an empty project installs the tarballs', run('npm', install, project.folder))) return

  verdict('what comes with them may be given on', licenceProblems(project.folder).join('\n'))

  const compile = (typescript: string, ...options: readonly string[]) =>
    run(process.execPath, [join(typescript, 'bin', 'tsc'), '-p', '.', ...options], project.folder)
  const strict = 'a strict project gets types, as ESM and as CommonJS'
  for (const version of OLDER_TYPESCRIPTS) {
    verdict(`TypeScript ${version}: ${strict}`, compile(fetchPackage('typescript', version), '--noEmit'))
  }
  const typed = verdict(`TypeScript ${ts.version}: ${strict}`, compile(join(ROOT, 'node_modules', 'typescript')))

  const nodes = [{ path: process.execPath, version: process.versions.node }, ...moreNodes.map((version) => provideNode(version))]
  const distinct = nodes.filter((node, at) => nodes.findIndex((other) => other.version === node.version) === at)
  for (const node of distinct) {
    for (const [title, file] of [...project.programs, ...(typed ? project.compiled : [])]) {
      verdict(`Node ${node.version}: ${title}`, run(node.path, [file], project.folder))
    }
  }
}

try {
  const packages = packAll()
  const names = packages.map((each) => each.manifest.name)
  for (const { folder, manifest, tarball, unpacked } of packages) {
    verdict(`${folder}: holds what it should and nothing else`, contentProblems(unpacked, manifest, ROOT, names).join('\n'))
    verdict(`${folder}: publint`, run('publint', [tarball, '--strict'], ROOT))
    verdict(`${folder}: are the types wrong?`, run('attw', [tarball, '--profile', 'node16', '--no-emoji'], ROOT))
  }
  checkAsUser(packages)
} finally {
  if (values.keep) console.log(`kept ${scratch}`)
  else rmSync(scratch, { recursive: true, force: true })
}
console.log(failures === 0 ? 'every package is fit to publish' : `${failures} package checks failed`)
process.exitCode = failures === 0 ? 0 : 1
