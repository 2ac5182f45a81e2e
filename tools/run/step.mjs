import { spawn } from 'node:child_process'
import { constants } from 'node:os'

/** @typedef {{ env: NodeJS.ProcessEnv, cwd: string }} Setting */

/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set()
/** @type {NodeJS.Signals | undefined} */
let signalled

for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
  process.on(signal, () => {
    signalled = signal
    // A terminal sends its own interrupt to the whole group; twice would mean "at once" to some.
    if (signal === 'SIGINT' && process.stdin.isTTY) return
    for (const child of running) child.kill(signal)
  })
}

/**
 * @param {string} command
 * @param {readonly string[]} args
 * @param {Setting} setting
 * @param {(chunk: string) => void} [hear] gets the output; without it the output is the terminal's
 * @returns {Promise<number>} exit code
 */
function start(command, args, setting, hear) {
  return new Promise((resolve) => {
    const shell = process.platform === 'win32' && !/\.exe$/i.test(command)
    const child = spawn(command, args, { ...setting, shell, stdio: hear ? ['ignore', 'pipe', 'pipe'] : 'inherit' })
    running.add(child)
    if (hear) {
      child.stdout?.setEncoding('utf8').on('data', hear)
      child.stderr?.setEncoding('utf8').on('data', hear)
    }
    child.on('error', (error) => {
      running.delete(child)
      if (hear) hear(`${error.message}\n`)
      else console.error(error.message)
      resolve(127)
    })
    child.on('close', (code, signal) => {
      running.delete(child)
      const cause = signalled ?? signal
      if (signalled !== undefined) process.exit(128 + constants.signals[signalled])
      resolve(cause ? 128 + constants.signals[cause] : (code ?? 1))
    })
  })
}

/**
 * Milliseconds for people.
 * @param {number} ms
 */
export function duration(ms) {
  const seconds = ms / 1000
  return seconds < 60 ? `${seconds.toFixed(1)} s` : `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`
}

/**
 * Runs a step whose output matters only when it fails: then all of it is shown.
 * @param {string} title
 * @param {string} command
 * @param {readonly string[]} args
 * @param {Setting} setting
 */
export async function quietly(title, command, args, setting) {
  const started = performance.now()
  const live = process.stdout.isTTY
  if (live) process.stdout.write(`  … ${title}`)
  let output = ''
  const code = await start(command, args, setting, (chunk) => {
    output += chunk
  })
  const line = `  ${code === 0 ? '✓' : '✗'} ${title} (${duration(performance.now() - started)})\n`
  process.stdout.write(live ? `\r\u001b[K${line}` : line)
  if (code !== 0) process.stdout.write(`\n${output.trimEnd()}\n\n`)
  return code
}

/**
 * Runs a step whose output is what was asked for.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {Setting} setting
 */
export function aloud(command, args, setting) {
  return start(command, args, setting)
}
