import { expect, test } from 'vitest'
import { Named } from '../../src/feishu/named.ts'

function counted(kept: number) {
  const made: string[] = []
  const named = new Named('tenantKey', kept, (name) => {
    made.push(name)
    return { name }
  })
  return { named, made }
}

test('what is asked for again and again is made once, whatever else is asked for meanwhile', () => {
  const { named, made } = counted(10)
  const often = named.get('often')
  for (let each = 0; each < 1_000; each++) {
    named.get(`seldom-${each}`)
    expect(named.get('often')).toBe(often)
  }
  expect(made.filter((name) => name === 'often')).toHaveLength(1)
})

test('as many as are kept are all kept', () => {
  const { named, made } = counted(100)
  for (let round = 0; round < 5; round++) for (let each = 0; each < 100; each++) named.get(`tenant-${each}`)
  expect(made).toHaveLength(100)
})

test('what has not been asked for while twice as many were is let go, and made again', () => {
  const { named, made } = counted(10)
  const first = named.get('first')
  for (let each = 0; each < 20; each++) named.get(`tenant-${each}`)
  expect(named.get('first')).not.toBe(first)
  expect(made.filter((name) => name === 'first')).toHaveLength(2)
})
