import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** Of an import that is there when the program runs. */
const IMPORTED = /^(?:import|export)(?! type)[^']*from '(\.[^']+)'/gm
/** Of a program that is started. */
const STARTED = /new URL\('([^']+\.m?ts|[^']+\.mjs)', import\.meta\.url\)/g
/** Of a folder of which one module is imported by its name. */
const CHOSEN = /import\(`(\.[^`$]*\/)\$\{/g
const COMMENT = /^\s*(?:\/\/|\/?\*).*$/gm

/** A hash of these modules and of all that they import or start, but for packages, comments and what are types alone. */
export function programsHash(programs: readonly URL[]): string {
  const texts = new Map<string, string>()
  const left = [...programs]
  for (const program of left) {
    const file = fileURLToPath(program)
    if (texts.has(file)) continue
    const text = readFileSync(file, 'utf8')
      .replaceAll(COMMENT, '')
      .replaceAll(/\n\s*\n/g, '\n')
    texts.set(file, text)
    for (const pattern of [IMPORTED, STARTED]) for (const [, name] of text.matchAll(pattern)) left.push(new URL(String(name), program))
    for (const [, name] of text.matchAll(CHOSEN)) left.push(...modulesIn(new URL(String(name), program)))
  }
  const hash = createHash('sha256')
  // In the order of what is in them: where the folder is makes no difference.
  for (const text of [...texts.values()].sort()) hash.update(`${text.length}\n${text}`)
  return hash.digest('hex').slice(0, 12)
}

function modulesIn(folder: URL): URL[] {
  return readdirSync(folder).map((name) => new URL(name, folder))
}
