import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** What may be used in any product, and given on with it. */
const FREE = new Set(['Apache-2.0', 'MIT', 'ISC', 'BSD-2-Clause', 'BSD-3-Clause', '0BSD', 'BlueOak-1.0.0'])

/** The packages in a project's node_modules whose licence is none of those, one sentence each. */
export function licenceProblems(folder: string): string[] {
  const manifests = readdirSync(join(folder, 'node_modules'), { recursive: true, encoding: 'utf8' }).filter((path) =>
    /(^|[\\/])node_modules[\\/](@[^\\/]+[\\/])?[^@\\/][^\\/]*[\\/]package\.json$/.test(join('node_modules', path)),
  )
  return manifests.flatMap((path) => {
    const { name, version, license } = JSON.parse(readFileSync(join(folder, 'node_modules', path), 'utf8')) as Record<string, unknown>
    return typeof license === 'string' && FREE.has(license) ? [] : [`${name}@${version} has the licence ${JSON.stringify(license)}`]
  })
}
