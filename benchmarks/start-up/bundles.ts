import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { figure } from '../report/figure.ts'
import type { Table } from '../report/report.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** What each entry weighs in a bundle, as its budget has it, which is checked with each change. @throws Error when one is over it */
export async function bundles(): Promise<Table> {
  const { stdout } = await promisify(execFile)(`${ROOT}node_modules/.bin/size-limit`, ['--json'], { cwd: ROOT })
  const sizes = JSON.parse(stdout) as readonly { readonly name: string; readonly size: number }[]
  return {
    title: 'Bundles',
    columns: ['minified, compressed by Brotli, with dependencies and without peers', 'KB'],
    rows: sizes.map(({ name, size }) => [name, figure(size / 1_000)]),
  }
}
