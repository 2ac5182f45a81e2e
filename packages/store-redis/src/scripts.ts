import { createHash } from 'node:crypto'
import answer from './scripts/answer.lua?raw'
import claim from './scripts/claim.lua?raw'
import invalidate from './scripts/invalidate.lua?raw'
import publish from './scripts/publish.lua?raw'
import read from './scripts/read.lua?raw'
import record from './scripts/record.lua?raw'
import settle from './scripts/settle.lua?raw'

/** The sources as they are: `record` is what every script begins with, `answer` what it ends with. */
export const sources = { record, read, claim, publish, settle, invalidate, answer }

export interface Script {
  readonly source: string
  /** By which a server knows it. */
  readonly sha: string
}

export type Scripts = Readonly<Record<Exclude<keyof typeof sources, 'record' | 'answer'>, Script>>

/** One script for each operation. */
export function scriptsOf({ record, answer, ...operations }: typeof sources): Scripts {
  const script = (operation: string): Script => {
    const source = `${record}\n${operation}\n${answer}`
    return { source, sha: createHash('sha1').update(source).digest('hex') }
  }
  return {
    read: script(operations.read),
    claim: script(operations.claim),
    publish: script(operations.publish),
    settle: script(operations.settle),
    invalidate: script(operations.invalidate),
  }
}
