import type { Entry } from '@tokenwell/fleet'
import { expect, test } from 'vitest'
import { handoverIn } from '../handover.ts'

const TOKEN = 'tokenwell/feishu/app-access-token'
const published = (node: string, key: string, at: number, outcome = 'accepted'): Entry => ({
  at,
  node,
  kind: 'store',
  operation: 'publish',
  key,
  sentAt: at - 2,
  outcome,
  version: 7,
})
const adopted = (node: string, at: number, version = 7): Entry => ({ at, node, kind: 'event', key: TOKEN, type: 'adopted', version })

test('who asked, and when the others had the token', () => {
  const history: Entry[] = [
    published('a', 'tokenwell/feishu/app-ticket', 10),
    { at: 130, node: 'b', kind: 'fetch', sentAt: 100, status: 200 },
    published('b', TOKEN, 140),
    adopted('c', 145),
    adopted('a', 143),
    adopted('a', 190),
    adopted('d', 141, 6),
  ]
  const others = [
    { node: 'a', afterMs: 5 },
    { node: 'c', afterMs: 7 },
  ]
  expect(handoverIn(history)).toEqual({ by: 'b', requestMs: 30, others })
})

test('where no token was published there is nothing to tell', () => {
  expect(handoverIn([published('a', 'tokenwell/feishu/app-ticket', 10), published('b', TOKEN, 20, 'superseded')])).toBeUndefined()
})
