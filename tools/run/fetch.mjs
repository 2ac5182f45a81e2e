import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const CACHE = join(ROOT, '.cache')

/**
 * What is fetched outside the lockfile: which Node for which platform, and the hashes it must have.
 * @type {{ nodes: Record<string, { package: string, default: string, versions: string[] }>,
 *   bin: Record<string, Record<string, string>>, integrity: Record<string, string> }}
 */
export const pinned = JSON.parse(readFileSync(new URL('pinned.json', import.meta.url), 'utf8'))

/**
 * The npm that belongs to the running Node: the one that started this script, else the one on PATH.
 * @returns {{ command: string, args: string[], shell: boolean }}
 */
function npm() {
  const cli = process.env.npm_execpath
  if (cli !== undefined && basename(cli) === 'npm-cli.js') return { command: process.execPath, args: [cli], shell: false }
  return { command: 'npm', args: [], shell: process.platform === 'win32' }
}

/**
 * Puts one package of the registry, without its dependencies, into the checkout's cache and returns its folder.
 * A version whose hash is pinned must have that hash. A fetch that was cut off is done again.
 * @param {string} name
 * @param {string} version exact
 */
export function fetchPackage(name, version) {
  const home = join(CACHE, `${name}-${version}`)
  const folder = join(home, 'node_modules', name)
  if (existsSync(folder)) return folder

  const draft = `${home}.${process.pid}`
  rmSync(draft, { recursive: true, force: true })
  mkdirSync(draft, { recursive: true })
  const manifest = { private: true, dependencies: { [name]: version } }
  writeFileSync(join(draft, 'package.json'), JSON.stringify(manifest))
  const integrity = pinned.integrity[`${name}@${version}`]
  if (integrity !== undefined) {
    // npm makes the commands that the lockfile names, not those in the package.
    const packages = { '': manifest, [`node_modules/${name}`]: { version, integrity, bin: pinned.bin[name] } }
    writeFileSync(join(draft, 'package-lock.json'), JSON.stringify({ lockfileVersion: 3, requires: true, packages }))
  }
  const { command, args, shell } = npm()
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', '--prefix', draft]
  const result = spawnSync(command, [...args, integrity === undefined ? 'install' : 'ci', ...quiet], {
    cwd: draft,
    encoding: 'utf8',
    shell,
  })
  if (result.status !== 0 || !existsSync(join(draft, 'node_modules', name))) {
    rmSync(draft, { recursive: true, force: true })
    throw new Error(`npm could not fetch ${name}@${version}:\n${result.error?.message ?? ''}${result.stdout ?? ''}${result.stderr ?? ''}`)
  }
  try {
    renameSync(draft, home)
  } catch (error) {
    // Another process was quicker; its copy is as good.
    rmSync(draft, { recursive: true, force: true })
    if (!existsSync(folder)) throw error
  }
  return folder
}
