import { expect, test } from 'vitest'
import { readOptions } from '../options.ts'

test('the seed is drawn where none is given', () => {
  const options = readOptions(['--minutes', '1.5', '--store', 'redis'])
  expect(options).toEqual({ minutes: 1.5, store: 'redis', seed: expect.any(Number) })
  expect(readOptions(['--minutes', '30', '--store', 'sqlite', '--seed', '42'])).toEqual({ minutes: 30, store: 'sqlite', seed: 42 })
})

test.each([
  [['--minutes', '1'], '--store: expected redis, postgres, sqlite, got none'],
  [['--minutes', '1', '--store', 'mysql'], "--store: expected redis, postgres, sqlite, got 'mysql'"],
  [['--store', 'redis'], '--minutes: expected a number of at least 0.6, got none'],
  [['--store', 'redis', '--minutes', '0.5'], "--minutes: expected a number of at least 0.6, got '0.5'"],
  [['--store', 'redis', '--minutes', 'Infinity'], "got 'Infinity'"],
  [['--store', 'redis', '--minutes', '1', '--seed', '1.5'], "--seed: expected a whole number, got '1.5'"],
])('%j is refused', (args, says) => {
  expect(() => readOptions(args)).toThrow(says)
})
