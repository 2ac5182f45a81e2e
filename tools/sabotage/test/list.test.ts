import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { sabotages } from '../../proof/models.ts'
import { mutations } from '../list/index.ts'
import { checksOf, mutated } from '../mutation.ts'

const inRoot = (path: string) => fileURLToPath(new URL(`../../../${path}`, import.meta.url))

describe.each(mutations)('$name', (mutation) => {
  it('still has something to break, in one place', () => {
    const source = readFileSync(inRoot(mutation.file), 'utf8')
    expect(mutated(source, mutation)).not.toBe(source)
  })

  it('is tried by checks that are there', () => {
    const codeChecks = checksOf(mutation).filter((check) => check !== 'model')
    expect(codeChecks).not.toEqual([])
    for (const path of [...(mutation.unit ?? []), ...(mutation.conformance ?? [])]) expect(existsSync(inRoot(path)), path).toBe(true)
    if (mutation.model !== undefined) expect(sabotages.map(({ name }) => name)).toContain(mutation.model)
  })
})

it.each(mutations.filter(({ file }) => file.startsWith('packages/core/')))('$name of core is simulated, or says why not', (mutation) => {
  expect([mutation.simulation, mutation.unplayed].filter((each) => each !== undefined)).toHaveLength(1)
})

it('names each mutation once', () => {
  const names = mutations.map(({ name }) => name)
  expect(new Set(names).size).toBe(names.length)
})

it('refuses a text that stands twice, or not at all', () => {
  const mutation = { name: 'example', file: 'file.ts', find: 'one', replace: 'two', breaks: 'Something.' }
  expect(mutated('one and two', mutation)).toBe('two and two')
  expect(() => mutated('one and one', mutation)).toThrow('stands 2 times in file.ts')
  expect(() => mutated('none', { ...mutation, find: 'three' })).toThrow('stands 0 times in file.ts')
})
