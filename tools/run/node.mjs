import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { fetchPackage, pinned } from './fetch.mjs'

/** The oldest Node that the packages support and the tools run on. */
const OLDEST = [22, 19]

/**
 * @typedef {object} Node
 * @property {string} path of the executable
 * @property {string} version without the v
 * @property {boolean} fetched whether it came from npm; the running one otherwise
 */

/** @param {string} version */
export function isNewEnough(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [oldestMajor = 0, oldestMinor = 0] = OLDEST
  return major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)
}

/**
 * Which version to run on.
 * @param {string | undefined} request a major, an exact version, or nothing for "the running one if it will do"
 * @param {string} running version of the running Node
 * @param {{ default: string, versions: string[] } | undefined} known what npm has for this platform
 * @returns {{ version: string, fetched: boolean }}
 */
export function pickVersion(request, running, known) {
  const platform = `${process.platform}-${process.arch}`
  const wanted = request?.replace(/^v/, '') ?? ''
  if (wanted !== '' && !/^\d+(\.\d+\.\d+)?$/.test(wanted)) {
    throw new Error(`TOKENWELL_NODE takes a major (22, 24, 26) or an exact version (22.19.0), got ${JSON.stringify(request)}.`)
  }
  const runningFits = isNewEnough(running) && (wanted === '' || running === wanted || running.split('.')[0] === wanted)
  if (runningFits) return { version: running, fetched: false }

  const oldest = OLDEST.join('.')
  if (known === undefined) {
    throw new Error(
      `Tokenwell needs Node ${oldest} or newer, this is ${running}. There is none on npm for ${platform}: install one and run this again.`,
    )
  }
  const exact = wanted.includes('.') ? wanted : undefined
  const version = wanted === '' ? known.default : (exact ?? known.versions.find((each) => each.split('.')[0] === wanted))
  if (version === undefined) {
    throw new Error(
      `TOKENWELL_NODE=${wanted}: known for ${platform} are ${known.versions.join(', ')}. Name an exact version to try another.`,
    )
  }
  if (!isNewEnough(version)) throw new Error(`TOKENWELL_NODE=${wanted}: Tokenwell needs Node ${oldest} or newer.`)
  return { version, fetched: true }
}

/**
 * The Node to run on: the running one where it will do, else one from npm, kept in the checkout's cache.
 * @param {string | undefined} request as for `pickVersion`
 * @returns {Node}
 */
export function provideNode(request) {
  const known = pinned.nodes[`${process.platform}-${process.arch}`]
  const { version, fetched } = pickVersion(request, process.versions.node, known)
  if (!fetched || known === undefined) return { path: process.execPath, version, fetched: false }
  const folder = fetchPackage(known.package, version)
  const path = join(folder, 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
  const answer = spawnSync(path, ['--version'], { encoding: 'utf8' })
  if (answer.stdout?.trim() !== `v${version}`) {
    const said = answer.error?.message ?? `${answer.stdout ?? ''}${answer.stderr ?? ''}`.trim()
    throw new Error(
      `${path} should be Node ${version} but does not run here (${said}). Install Node ${OLDEST.join('.')} or newer and run this again.`,
    )
  }
  return { path, version, fetched: true }
}
