import type { Cases } from './cases.ts'
import { above, atMost, rejects, same } from './expect.ts'
import { past, SHORT_MS, type Subject } from './subject.ts'

/** A fence an hour ahead of the store's clock: from there on, fences are counted. */
async function fenceAhead(subject: Subject): Promise<number> {
  return (await subject.nowAsFence()) + 3_600_000_000
}

/** What the store's clock and the harness's view of it may differ by, microseconds. */
const ROUNDING = 1000

export const fenceCases: Cases = {
  "a fence is the store's clock in microseconds, when nothing is above that": async (subject) => {
    const before = await subject.nowAsFence()
    const fence = await subject.grant('a')
    above(fence, before - ROUNDING, 'fence')
    atMost(fence, (await subject.nowAsFence()) + ROUNDING, 'fence')
  },

  'a fence is above the one before': async (subject) => {
    const first = await subject.grant('a', { seen: await fenceAhead(subject) })
    await subject.settle('a', first)
    above(await subject.grant('b'), first, 'second fence')
  },

  'a fence is above the highest version the caller has seen': async (subject) => {
    const seen = await fenceAhead(subject)
    above(await subject.grant('a', { seen }), seen, 'fence')
  },

  'a fence is above the highest version the caller knows to be rejected': async (subject) => {
    const rejected = await fenceAhead(subject)
    above(await subject.grant('a', { rejected }), rejected, 'fence')
  },

  'a fence is above everything published': async (subject) => {
    const version = await subject.accept('a', await fenceAhead(subject), { renewInMs: 0 })
    above(await subject.grant('b'), version, 'fence')
  },

  'a fence is above one before, also when a smaller one was published since': async (subject) => {
    const first = await subject.grant('a', { seen: await fenceAhead(subject), leaseMs: SHORT_MS })
    await subject.passShort()
    above(await subject.grant('c', past(await subject.accept('b'))), first, 'second fence')
  },

  'a fence is above everything rejected': async (subject) => {
    await subject.acceptDue('a')
    const version = await fenceAhead(subject)
    await subject.invalidate(version)
    above(await subject.grant('b'), version, 'fence')
  },

  'the smallest and the largest fence are published, digit for digit': async (subject) => {
    for (const [attempt, fence] of [
      ['a', 1],
      ['b', Number.MAX_SAFE_INTEGER - 1],
      ['c', Number.MAX_SAFE_INTEGER],
    ] as const) {
      await subject.accept(attempt, fence)
      same((await subject.read()).version, fence, 'version')
    }
  },

  'a fence that is no safe integer is not granted': async (subject) => {
    await rejects(
      subject.claim('a', { seen: Number.MAX_SAFE_INTEGER, rejected: Number.MAX_SAFE_INTEGER }),
      'claim above the largest safe integer',
    )
  },

  'a fence that is no positive safe integer is not published': async (subject) => {
    for (const fence of [Number.MAX_SAFE_INTEGER + 1, 1.5, Number.NaN, 0, -1]) {
      await rejects(subject.publish('a', fence), `publication with fence ${fence}`)
    }
  },

  'a version that is no safe integer is not invalidated': async (subject) => {
    for (const version of [Number.MAX_SAFE_INTEGER + 1, 1.5, Number.NaN]) {
      await rejects(subject.invalidate(version), `invalidation of ${version}`)
    }
  },
}
