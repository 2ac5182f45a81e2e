// The simulator as npx starts it.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const folder = join('node_modules', '@tokenwell', 'feishu-simulator')
const { bin } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
const simulator = spawn(process.execPath, [join(folder, bin['feishu-simulator']), '--port', '0', '--push', 'http://127.0.0.1:9/events'])
let output = ''
for await (const chunk of simulator.stdout) {
  output += chunk
  if (output.includes('not taken')) simulator.kill('SIGTERM')
}
const [code] = simulator.exitCode === null ? await once(simulator, 'exit') : [simulator.exitCode]
assert.match(output, /listens on http:/)
if (process.platform !== 'win32') assert.equal(code, 0)
