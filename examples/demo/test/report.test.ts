import { expect, test } from 'vitest'
import { type Outcome, Report } from '../report.ts'

const good: Outcome = { callers: 8_000, requests: 1, blocked: 0, slowestMs: 0.25, wrong: 0 }

test('a stage that went well is a row and no fault', () => {
  const report = new Report()
  report.add('cold', good, { requests: 1 })
  expect(report.faults).toEqual([])
  expect(`${report}`).toMatch(/cold +8,000 +1 +0 +250 µs +all valid/)
})

test.each<[string, Partial<Outcome>, string]>([
  ['a request too many', { requests: 2 }, 'cold: 2 token requests, expected 1'],
  ['no request', { requests: 0 }, 'cold: 0 token requests, expected 1'],
  ['callers who had to wait', { blocked: 3 }, 'cold: 3 callers were blocked'],
  ['a token that is not valid', { wrong: 5 }, 'cold: 5 callers got no valid token'],
  ['nobody who called', { callers: 0 }, 'cold: nobody called'],
])('%s is a fault', (_name, outcome, fault) => {
  const report = new Report()
  report.add('cold', { ...good, ...outcome }, { requests: 1 })
  expect(report.faults).toEqual([fault])
})

test('callers may wait where that is expected, and requests may be few', () => {
  const report = new Report()
  report.add('cold', { ...good, blocked: 8_000 }, { requests: { atMost: 2 }, mayBlock: true })
  expect(report.faults).toEqual([])
  report.add('outage', { ...good, requests: 3 }, { requests: { atMost: 2 } })
  expect(report.faults).toEqual(['outage: 3 token requests, expected at most 2'])
})
