import { expect, test } from 'vitest'
import { Timeline } from '../src/simulation/timeline.ts'

test('what is due first happens first, and of what is due at once what was planned first', async () => {
  const timeline = new Timeline()
  const happened: string[] = []
  timeline.at(2, () => happened.push('late'))
  timeline.at(1, () => happened.push('first'))
  timeline.at(1, () => happened.push('second'))
  await timeline.runUntil(5)
  expect(happened).toEqual(['first', 'second', 'late'])
  expect(timeline.now).toBe(5)
})

test('what brings about itself without time passing is ended and told', async () => {
  const timeline = new Timeline()
  const again = () => void timeline.at(timeline.now, again)
  timeline.at(7, again)
  await expect(timeline.runUntil(10)).rejects.toThrow('time stands still: more than 100000 things happened at once')
  expect(timeline.now).toBe(7)
})

test('what comes ever sooner without coming to an end is told as well', async () => {
  const timeline = new Timeline()
  const again = () => void timeline.at(timeline.now + (8 - timeline.now) / 1_000_000, again)
  timeline.at(7, again)
  await expect(timeline.runUntil(10)).rejects.toThrow('time stands still')
})

test('much that happens in one millisecond after the other is no circle', async () => {
  const timeline = new Timeline()
  let happened = 0
  for (let count = 0; count < 120_000; count += 1) timeline.at(count % 10, () => (happened += 1))
  await timeline.runUntil(10)
  expect(happened).toBe(120_000)
})
