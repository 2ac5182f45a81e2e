// Adds up what `npm test` and `npm run check` left in a folder, and the exit codes of what counts as one. Names the tests that failed, which may
// stand far above, and prints "N passed, N failed" last.
import { existsSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'

const [folder = '', ...outcomes] = process.argv.slice(2)
const { tests = '1', checks = '1', ...searches } = Object.fromEntries(outcomes.map((outcome) => outcome.split('=')))

/** @param {string} name */
function read(name) {
  const file = join(folder, name)
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined
}

/**
 * A command that failed without a counted failure (it never got that far, or failed at its end) counts as one, and so does one of which nothing
 * passed: it left no account, or an empty one.
 * @param {{ passed: number, failed: number }} counted
 * @param {string} exitCode
 */
function settle(counted, exitCode) {
  return { passed: counted.passed, failed: counted.failed === 0 && (exitCode !== '0' || counted.passed === 0) ? 1 : counted.failed }
}

/** @param {string | undefined} message */
function firstLine(message = '') {
  return message.split('\n', 1)[0]
}

const vitest = read('vitest.json')
/** @type {Array<{ name: string, passed: boolean }> | undefined} */
const results = read('checks.json')
const emptyFiles = (vitest?.testResults ?? []).filter(
  (/** @type {{ status: string, assertionResults: unknown[] }} */ file) => file.status === 'failed' && file.assertionResults.length === 0,
)
const tested = settle({ passed: vitest?.numPassedTests ?? 0, failed: (vitest?.numFailedTests ?? 0) + emptyFiles.length }, tests)
const checked = settle(
  { passed: results?.filter((each) => each.passed).length ?? 0, failed: results?.filter((each) => !each.passed).length ?? 0 },
  checks,
)

const skipped = (vitest?.numPendingTests ?? 0) + (vitest?.numTodoTests ?? 0)
for (const file of vitest?.testResults ?? []) {
  const broken = file.assertionResults.filter((/** @type {{ status: string }} */ each) => each.status === 'failed')
  for (const { fullName, failureMessages } of broken)
    console.log(`✗ ${relative('.', file.name)}: ${fullName}\n    ${firstLine(failureMessages[0])}`)
  if (broken.length === 0 && file.status === 'failed') console.log(`✗ ${relative('.', file.name)}\n    ${firstLine(file.message)}`)
}
console.log(`\ntests:  ${tested.passed} passed, ${tested.failed} failed, ${skipped} skipped (exit code ${tests})`)
console.log(`checks: ${checked.passed} passed, ${checked.failed} failed (exit code ${checks})`)
for (const [name, code] of Object.entries(searches)) console.log(`${name}: ${code === '0' ? 'passed' : `failed (exit code ${code})`}`)
const found = Object.values(searches).filter((code) => code !== '0').length
const failed = tested.failed + checked.failed + found
console.log(`${tested.passed + checked.passed + Object.keys(searches).length - found} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
