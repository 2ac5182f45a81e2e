import { readdirSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { homedir } from 'node:os'
import { basename, join, relative, sep } from 'node:path'
import ts from 'typescript'

/** What is read of a package's manifest. */
export interface Manifest {
  readonly name: string
  readonly version: string
  readonly private?: boolean
  readonly exports?: Readonly<Record<string, unknown>>
  readonly engines?: Readonly<Record<string, string>>
  readonly repository?: { readonly url?: string; readonly directory?: string }
  readonly publishConfig?: { readonly provenance?: boolean }
  readonly scripts?: Readonly<Record<string, string>>
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
}

const EXPECTED = new Set(['package.json', 'README.md', 'LICENSE'])
/** What is read by something else than Node: dashboard and alerts fit the metrics of their own version. */
const FOLDERS = /^(dist|grafana|prometheus)\//
const RUN_AT_INSTALL = ['preinstall', 'install', 'postinstall', 'prepare']
const DEPENDENCY_FIELDS = ['dependencies', 'optionalDependencies', 'peerDependencies', 'devDependencies'] as const

/** What is wrong with an unpacked tarball, one sentence each. `root` is the checkout it was packed in, `siblings` every package's name. */
export function contentProblems(folder: string, manifest: Manifest, root: string, siblings: readonly string[]): string[] {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
  const strangers = files.filter((file) => !EXPECTED.has(file) && !FOLDERS.test(file)).map((file) => `${file} should not be published`)
  const missing = [...EXPECTED].filter((file) => !files.includes(file)).map((file) => `${file} is missing`)
  return [
    ...strangers,
    ...missing,
    ...manifestProblems(manifest, siblings),
    ...files.flatMap((file) => fileProblems(file, readFileSync(join(folder, file), 'utf8'), manifest, root)),
  ]
}

function manifestProblems(manifest: Manifest, siblings: readonly string[]): string[] {
  const problems: string[] = []
  for (const field of DEPENDENCY_FIELDS) {
    for (const [name, range] of Object.entries(manifest[field] ?? {})) {
      const isLocal = /^(workspace|catalog|link|file|portal):/.test(range)
      if (isLocal) problems.push(`${field}: ${name} is ${range}, which means nothing outside this repository`)
    }
  }
  for (const name of Object.keys(manifest.dependencies ?? {})) {
    if (siblings.includes(name) && name !== '@tokenwell/core') problems.push(`dependencies: ${name}; packages depend on core alone`)
  }
  for (const script of RUN_AT_INSTALL) {
    if (manifest.scripts?.[script] !== undefined) problems.push(`scripts: ${script} would run on a user's machine`)
  }
  if (manifest.engines?.node === undefined) problems.push('engines.node is missing')
  if (manifest.publishConfig?.provenance !== true) problems.push('publishConfig.provenance: anybody could publish it from anywhere')
  const folder = `packages/${manifest.name.split('/')[1]}`
  if (manifest.repository?.directory !== folder) problems.push(`repository.directory is not ${folder}`)
  return problems
}

function fileProblems(file: string, text: string, manifest: Manifest, root: string): string[] {
  const problems: string[] = []
  const home = homedir()
  const places = [root.replace(/[\\/]$/, ''), ...(home.length > 1 ? [home] : []), 'file://']
  for (const place of places) {
    if (file.startsWith('dist/') && text.includes(place)) problems.push(`${file} names a place on the machine that built it`)
  }
  if (/\.(js|cjs|mjs|d\.ts|d\.cts|d\.mts)$/.test(file)) {
    const declared = { ...manifest.dependencies, ...manifest.optionalDependencies, ...manifest.peerDependencies }
    for (const { fileName } of ts.preProcessFile(text, true, true).importedFiles) {
      if (fileName.startsWith('.') || isBuiltin(fileName)) continue
      const name = fileName.split('/', fileName.startsWith('@') ? 2 : 1).join('/')
      if (name !== manifest.name && !Object.hasOwn(declared, name))
        problems.push(`${file} imports ${fileName}, which the manifest does not declare`)
    }
  }
  if (file.endsWith('.map')) {
    const { sources = [] } = JSON.parse(text) as { sources?: string[] }
    for (const source of sources)
      if (!/^(\.\.\/)+src\//.test(source) && source !== basename(file, '.map')) problems.push(`${file} maps to ${source}`)
  }
  return problems
}
