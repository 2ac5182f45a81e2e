import type { ClaimRequest } from '@tokenwell/core'
import { branch, type Cases } from './cases.ts'
import { same } from './expect.ts'
import { past, SHORT_MS, type Subject } from './subject.ts'

async function takeover(subject: Subject, attempt: string, request: Partial<ClaimRequest> = {}): Promise<boolean> {
  const claim = await subject.claim(attempt, request)
  same(claim.kind, 'granted', `claim by ${attempt}`)
  return claim.kind === 'granted' && claim.takeover
}

export const takeoverCases: Cases = {
  'the first lease takes nothing over': branch('claim/granted', async (subject) => {
    same(await takeover(subject, 'a'), false, 'takeover')
  }),

  'the lease after one that ran out unreleased is a takeover': branch('claim/taken-over', async (subject) => {
    await subject.grant('a', { leaseMs: SHORT_MS })
    await subject.passShort()
    same(await takeover(subject, 'b'), true, 'takeover')
  }),

  'a claim that is sent again says once more that it is a takeover': branch('claim/own-lease', async (subject) => {
    await subject.grant('a', { leaseMs: SHORT_MS })
    await subject.passShort()
    await subject.grant('b')
    same(await takeover(subject, 'b'), true, 'takeover of the second claim')
  }),

  'the lease after one that was settled is no takeover': branch('claim/granted', async (subject) => {
    const fence = await subject.grant('a')
    await subject.settle('a', fence)
    same(await takeover(subject, 'b'), false, 'takeover')
  }),

  'the lease after one whose holder published late is no takeover': branch('claim/granted', async (subject) => {
    const fence = await subject.grant('a', { leaseMs: SHORT_MS })
    await subject.passShort()
    await subject.accept('a', fence)
    same(await takeover(subject, 'b', past(fence)), false, 'takeover')
  }),
}
