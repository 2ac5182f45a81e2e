import type { Cases } from './cases.ts'
import { same } from './expect.ts'

const MANY = 20

/** The names of many attempts at once. */
const attempts = Array.from({ length: MANY }, (_, index) => `attempt ${index}`)

export const concurrencyCases: Cases = {
  'of many claims at once exactly one is granted, the others are held': async (subject) => {
    const claims = await Promise.all(attempts.map((attempt) => subject.claim(attempt)))
    same(claims.filter(({ kind }) => kind === 'granted').length, 1, 'grants')
    same(claims.filter(({ kind }) => kind === 'held').length, MANY - 1, 'claims held')
  },

  'the same claim many times at once is one grant': async (subject) => {
    const fences = await Promise.all(attempts.map(() => subject.grant('a')))
    same(new Set(fences).size, 1, 'different fences')
  },

  'of many publications at once the newest stays': async (subject) => {
    const fence = await subject.nowAsFence()
    const shuffled = attempts.map((attempt, index) => [attempt, fence + ((index * 7) % MANY)] as const)
    await Promise.all(shuffled.map(([attempt, own]) => subject.publish(attempt, own)))
    same((await subject.read()).version, fence + MANY - 1, 'version')
  },

  'many failures of one lease at once are counted once': async (subject) => {
    const fence = await subject.grant('a')
    await Promise.all(attempts.map(() => subject.settle('a', fence, { backoffMs: 60_000 })))
    same((await subject.read()).backoff?.failures, 1, 'failures')
  },

  'claims of different keys do not hold each other': async (subject) => {
    const claims = await Promise.all(attempts.map((attempt) => subject.claim(attempt, {}, `key of ${attempt}`)))
    same(claims.filter(({ kind }) => kind === 'granted').length, MANY, 'grants')
  },
}
