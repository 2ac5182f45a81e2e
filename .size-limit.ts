// What each entry of a package may weigh in a bundle, minified and compressed by Brotli: what it weighs, and a tenth more. Dependencies
// are in it, peers are not: those are there anyway.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { SizeLimitConfig } from 'size-limit'

interface Manifest {
  readonly name: string
  readonly exports: Readonly<Record<string, { readonly import: { readonly default: string } } | string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
}

const BUDGETS = new Map([
  ['@tokenwell/core', '18.2 kB'],
  ['@tokenwell/core/feishu', '226 kB'],
  ['@tokenwell/core/feishu without undici', '34.8 kB'],
  ['@tokenwell/feishu-simulator', '13.2 kB'],
  ['@tokenwell/lark-sdk', '1.65 kB'],
  ['@tokenwell/otel', '3.4 kB'],
  ['@tokenwell/store-memory', '1.9 kB'],
  ['@tokenwell/store-postgres', '9.4 kB'],
  ['@tokenwell/store-redis', '6.1 kB'],
  ['@tokenwell/store-sqlite', '6.1 kB'],
  ['@tokenwell/testkit', '27.7 kB'],
  ['@tokenwell/testkit/feishu', '9.5 kB'],
])

function budget(name: string, path: string, ignore: string[]): SizeLimitConfig[number] {
  const limit = BUDGETS.get(name)
  if (limit === undefined) throw new Error(`${name} has no size budget`)
  const modifyEsbuildConfig = <T extends object>(config?: T) => ({ ...config, platform: 'node', format: 'esm' }) as unknown as T
  return { name, path, limit, ignore, modifyEsbuildConfig }
}

function budgets(folder: string): SizeLimitConfig {
  const { name, exports, peerDependencies = {} } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest
  return Object.entries(exports).flatMap(([entry, target]) => {
    if (typeof target === 'string') return []
    const path = join(folder, target.import.default)
    const whole = budget(name + entry.slice(1), path, Object.keys(peerDependencies))
    // undici is most of it, and its growth would hide ours.
    return whole.name === '@tokenwell/core/feishu' ? [whole, budget(`${whole.name} without undici`, path, ['undici'])] : [whole]
  })
}

const packages = join(import.meta.dirname, 'packages')
export default readdirSync(packages).flatMap((name) => budgets(join(packages, name)))
