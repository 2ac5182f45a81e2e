import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { memoryStore } from '@tokenwell/store-memory'
import * as testkit from '@tokenwell/testkit'
import { type SimulationOptions, simulate } from '@tokenwell/testkit'
import ts from 'typescript'
import { describe, expect, test } from 'vitest'

describe('of the README', () => {
  const blocks = [...readFileSync(join(import.meta.dirname, '../README.md'), 'utf8').matchAll(/^```ts\n([\s\S]*?)^```$/gm)]
  const examples = blocks.flatMap(([, code = '']) => (/\bsimulate\(/.test(code) ? [code] : []))

  /** Plays an example as it is printed, but for its types and for what is said here. @returns what it told, and of how many worlds */
  async function play(example: string, otherwise: Partial<SimulationOptions>): Promise<{ told: unknown[]; worlds: number }> {
    const told: unknown[] = []
    let worlds = 0
    const parts = {
      memoryStore,
      ...testkit,
      console: { error: (...what: unknown[]) => told.push(what) },
      async simulate(options: SimulationOptions) {
        worlds += 1
        const report = await simulate({ ...options, ...otherwise })
        if (report.violations.length > 0) told.push(report.violations)
        return report
      },
    }
    const { outputText: code } = ts.transpileModule(example.replace(/^import .*\n/gm, ''), {
      compilerOptions: { target: ts.ScriptTarget.ES2023 },
    })
    const run = new Function(...Object.keys(parts), `return (async () => {\n${code}\n})()`) as (...given: unknown[]) => Promise<void>
    await run(...Object.values(parts))
    return { told, worlds }
  }

  test('the first example of a world has nothing wrong in it, with troubles and without', async () => {
    const [first = ''] = examples
    expect(first).toContain('seed <= 100')
    expect(await play(first, {})).toEqual({ told: [], worlds: 100 })
    expect(await play(first, { troubles: 0 })).toEqual({ told: [], worlds: 100 })
  }, 120_000)

  test('the upstream of your own has nothing wrong in it, whatever the seed', async () => {
    const own = examples.find((code) => code.includes('const weather')) ?? ''
    expect(await play(own, {})).toEqual({ told: [], worlds: 1 })
    for (let seed = 1; seed <= 30; seed += 1)
      expect(await play(own, { seed, troubles: seed % 3 === 0 ? 0 : 30 }), `${seed}`).toEqual({ told: [], worlds: 1 })
  }, 120_000)
})
