import { expect, test } from 'vitest'
import type { Benchmark } from '../benchmark.ts'
import { COMMITTED } from '../measure/code.ts'
import { programsHash } from '../measure/programs.ts'
import { recorded } from '../report/records.ts'
import { holds } from '../report/report.ts'

interface Age {
  /** It was recorded before records said by which programs, and what each round said. */
  readonly isOld: boolean
}

/** Tests of what was recorded of a benchmark: that it holds, that each of these is among its limits, and that it is of the benchmark as it is. */
export function testRecord({ name, title, how, programs }: Benchmark, asked: readonly RegExp[], { isOld }: Age = { isOld: false }): void {
  const record = recorded(name)

  test(`what was recorded of ${name} is within its limits`, () => {
    const limits = record?.limits ?? []
    expect(limits.filter((limit) => !holds(limit))).toEqual([])
    for (const what of asked) expect(limits.map((limit) => limit.what)).toContainEqual(expect.stringMatching(what))
  })

  if (isOld) return

  test(`the page says of ${name} what it is`, () => {
    expect(record).toMatchObject({ title, how })
  })

  test(`what was recorded of ${name} was measured by the programs that measure it, of code that was committed`, () => {
    expect(record).toMatchObject({ programs: programsHash(programs), code: expect.stringMatching(COMMITTED) })
  })

  test(`what each round of ${name} said is in its record`, () => {
    expect(record?.figures).not.toEqual([])
    expect(record?.figures).toBeDefined()
  })
}
