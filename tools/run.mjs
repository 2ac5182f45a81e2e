#!/usr/bin/env node
// The one door to every task of the repository: `npm test`, `npm run check`, … need only Node 20 or newer and npm.
import { existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fetchPackage, ROOT } from './run/fetch.mjs'
import { isInstalled, markInstalled } from './run/install.mjs'
import { firstSeed, WORLDS } from './run/night.mjs'
import { provideNode } from './run/node.mjs'
import { aloud, duration, quietly } from './run/step.mjs'

const USAGE = `usage: npm run <task> [-- arguments]

  build     build every package
  test      build, then run every test; arguments go to vitest: npm test -- packages/core
  check     format, lint, types, unused code, bundle sizes, the packed packages as a user gets them, and the documentation site with all its links
  demo      the main job on one machine: no server, no account; -- --store redis|postgres|memory for another store
  endpoint  an event endpoint of examples/ in its framework, and the platform's conversation with it: -- express
  simulate  plays fleets of the real core in one process, a seed each; -- --help says how to choose and replay seeds
  proof     search the models of the protocol whole; -- --large for more nodes and faults
  chaos     a fleet on a real server, to which everything happens at once; -- --minutes 5 --store redis|postgres|sqlite [--seed 7]
  sabotage  take the rules out of a copy of the code one by one, and show which checks notice; -- --help says how to choose
  mutation  change the machine in one small way after another, and list what no test notices; -- --mutate <file> for a part
  bench     measure what it costs next to what a user would pick instead; -- --help says which parts
  docs      build the documentation site into docs/.vitepress/dist
  changeset add one, or what else the program does; -- version and -- publish are for the release workflow
  nightly   test, check, simulate, proof and chaos with more runs, and what the simulation notices of sabotage; takes hours; each day has
            worlds of its own: -- --first <seed> plays those of another one

TOKENWELL_NODE=22|24|26|<exact version> runs a task on that Node.`

const [task = '', ...args] = process.argv.slice(2)
const started = performance.now()

/** Where a machine-readable account is left, if anybody wants one. */
const reports = process.env.TOKENWELL_REPORTS

/**
 * @param {string} nodePath
 * @param {string} pnpmFolder
 */
function environment(nodePath, pnpmFolder) {
  const inherited = process.env.PATH ?? ''
  const first = inherited
    .split(delimiter)
    .map((folder) => join(folder, process.platform === 'win32' ? 'node.exe' : 'node'))
    .find((file) => existsSync(file))
  const nodeIsFirst = first !== undefined && realpathSync(first) === realpathSync(nodePath)
  const own = [join(ROOT, 'node_modules', '.bin'), join(pnpmFolder, '..', '.bin')]
  return {
    ...process.env,
    PATH: [...(nodeIsFirst ? [] : [dirname(nodePath)]), ...own, inherited].join(delimiter),
    // Fleets start hundreds of processes, and a third of what that costs is compiling the same sources.
    NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? join(ROOT, '.cache', 'compiled'),
    TURBO_TELEMETRY_DISABLED: '1',
    TURBO_NO_UPDATE_NOTIFIER: '1',
    DO_NOT_TRACK: '1',
  }
}

async function main() {
  const tasks = { build, test, check, demo, endpoint, simulate, proof, chaos, sabotage, mutation, bench, docs, nightly, changeset }
  if (!Object.hasOwn(tasks, task)) {
    console.error(USAGE)
    return 2
  }
  const node = provideNode(process.env.TOKENWELL_NODE)
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  const pnpmFolder = fetchPackage('pnpm', manifest.packageManager.replace(/^pnpm@/, '').replace(/\+.*$/, ''))
  const env = { ...environment(node.path, pnpmFolder), EXPECT_NODE_MAJOR: node.version.split('.')[0] }
  const setting = { cwd: ROOT, env }
  console.log(`Node ${node.version}${node.fetched ? ` from npm (running: ${process.versions.node})` : ''}`)

  if (!isInstalled()) {
    const install = [join(pnpmFolder, 'bin', 'pnpm.cjs'), 'install', '--frozen-lockfile']
    const code = await quietly('install', node.path, install, { cwd: ROOT, env: { ...env, CI: 'true' } })
    if (code !== 0) return code
    markInstalled()
  }
  return tasks[/** @type {keyof typeof tasks} */ (task)](node, setting)
}

const SITE = join('docs', 'build.ts')

/** @typedef {import('./run/node.mjs').Node} Node */
/** @typedef {import('./run/step.mjs').Setting} Setting */

/**
 * @param {Node} _node
 * @param {Setting} setting
 * @param {readonly string[]} extra
 */
function build(_node, setting, extra = args) {
  return quietly('build', 'turbo', ['run', 'build', '--output-logs=errors-only', ...extra], setting)
}

/**
 * @param {Node} node
 * @param {Setting} setting
 */
async function test(node, setting, extra = args) {
  const built = await build(node, setting, [])
  if (built !== 0) return built
  const account =
    reports === undefined ? [] : ['--reporter=default', '--reporter=json', `--outputFile.json=${join(reports, 'vitest.json')}`]
  const code = await aloud('vitest', ['run', ...account, ...extra], setting)
  console.log(`tests ${code === 0 ? 'passed' : 'FAILED'} on Node ${node.version} in ${duration(performance.now() - started)}`)
  return code
}

/**
 * @param {Node} node
 * @param {Setting} setting
 */
async function check(node, setting, extra = args) {
  const built = await build(node, setting, [])
  const packages = [join('tools', 'package-check', 'main.ts'), ...extra]
  /** @type {Array<[string, string, string[]]>} */
  const checks = [
    ['format and lint', 'biome', ['check', '--error-on-warnings', '.']],
    ['types', 'tsc', ['-p', '.']],
    ['unused code and dependencies', 'knip', ['--no-progress', '--no-config-hints']],
    ['bundle sizes', 'size-limit', []],
    ['packed packages', node.path, packages],
    ['documentation site', node.path, [SITE]],
  ]
  /** @type {Array<{ name: string, passed: boolean }>} */
  const results = [{ name: 'build', passed: built === 0 }]
  for (const [name, command, its] of checks) results.push({ name, passed: (await quietly(name, command, its, setting)) === 0 })
  if (reports !== undefined) {
    mkdirSync(reports, { recursive: true })
    writeFileSync(join(reports, 'checks.json'), JSON.stringify(results))
  }
  const failed = results.filter((result) => !result.passed).map((result) => result.name)
  const verdict = failed.length === 0 ? 'passed' : `FAILED: ${failed.join(', ')}`
  console.log(`checks ${verdict} on Node ${node.version} in ${duration(performance.now() - started)}`)
  return failed.length === 0 ? 0 : 1
}

/**
 * @param {Node} node
 * @param {Setting} setting
 */
async function demo(node, setting) {
  const built = await build(node, setting, [])
  if (built !== 0) return built
  return aloud(node.path, [join('examples', 'demo', 'main.ts'), ...args], setting)
}

/**
 * @param {Node} node
 * @param {Setting} setting
 */
async function endpoint(node, setting) {
  const built = await build(node, setting, [])
  if (built !== 0) return built
  return aloud(node.path, [join('tools', 'endpoint', 'main.ts'), ...args], setting)
}

/**
 * @param {Node} node
 * @param {Setting} setting
 */
function simulate(node, setting, extra = args) {
  const sources = ['--import', './tools/sources.mjs']
  return aloud(node.path, [...sources, join('tools', 'simulate', 'main.ts'), ...extra], setting)
}

/**
 * @param {Node} node
 * @param {Setting} setting
 */
function proof(node, setting, extra = args) {
  return aloud(node.path, [join('tools', 'proof', 'main.ts'), ...extra], setting)
}

/**
 * @param {Node} node
 * @param {Setting} setting
 */
function sabotage(node, setting, extra = args) {
  return aloud(node.path, [join('tools', 'sabotage', 'main.ts'), ...extra], setting)
}

/**
 * @param {Node} _node
 * @param {Setting} setting
 */
function mutation(_node, setting) {
  const env = { ...setting.env, TOKENWELL_MUTATION: '1' }
  return aloud('stryker', ['run', join('tools', 'mutation', 'stryker.config.mjs'), ...args], { ...setting, env })
}

/**
 * @param {Node} node
 * @param {Setting} setting
 */
async function chaos(node, setting, extra = args) {
  const built = await build(node, setting, [])
  if (built !== 0) return built
  return aloud(node.path, [join('tools', 'chaos', 'main.ts'), ...extra], setting)
}

/**
 * @param {Node} node
 * @param {Setting} setting
 */
async function bench(node, setting, extra = args) {
  const built = await build(node, setting, [])
  if (built !== 0) return built
  return aloud(node.path, [join('benchmarks', 'main.ts'), ...extra], setting)
}

/**
 * @param {Node} _node
 * @param {Setting} setting
 */
function changeset(_node, setting) {
  return aloud('changeset', args, setting)
}

/**
 * @param {Node} node
 * @param {Setting} setting
 */
function docs(node, setting) {
  return aloud(node.path, [SITE], setting)
}

/**
 * @param {Node} node
 * @param {Setting} setting
 */
async function nightly(node, setting) {
  const first = firstSeed(args, new Date())
  console.log(`worlds ${first} to ${first + WORLDS - 1}; the same ones again: npm run nightly -- --first ${first}`)
  const env = { ...setting.env, TOKENWELL_NIGHTLY: '1', TOKENWELL_PACKAGE_NODES: '22,24,26' }
  const tested = await test(node, { ...setting, env }, [])
  const checked = await check(node, { ...setting, env }, [])
  const simulated = await simulate(node, setting, ['--seeds', `${WORLDS}`, '--first', `${first}`, '--coverage', '--least-gets', '1'])
  const proven = await proof(node, setting, ['--large'])
  // Always in the same worlds: what it notices then changes with the code and the list alone.
  const noticed = await sabotage(node, setting, ['--checks', 'simulation'])
  /** @type {Array<[string, number]>} */
  const results = [
    ['tests', tested],
    ['checks', checked],
    ['simulation', simulated],
    ['proof', proven],
    ['sabotage', noticed],
    ['speed', await bench(node, setting, ['--gate'])],
  ]
  for (const store of ['redis', 'postgres', 'sqlite']) {
    results.push([`chaos on ${store}`, await chaos(node, setting, ['--minutes', '5', '--store', store])])
  }
  const failed = results.filter(([, code]) => code !== 0).map(([name]) => name)
  console.log(`nightly ${failed.length === 0 ? 'passed' : `FAILED: ${failed.join(', ')}`} in ${duration(performance.now() - started)}`)
  return failed.length === 0 ? 0 : 1
}

main().then(
  (code) => {
    process.exitCode = code
  },
  (error) => {
    console.error(error instanceof Error ? error.message : error)
    process.exitCode = 1
  },
)
