import { describe, expect, test } from 'vitest'
import { Reads } from '../../src/reads.ts'
import { quiet } from '../support/world.ts'

/** Calls that the test answers: with the keys that were asked for, unless it says otherwise. */
function wire() {
  const calls: { readonly keys: readonly string[]; answer(): void; fail(): void }[] = []
  const reads = new Reads(
    (keys) =>
      new Promise<readonly string[]>((resolve, reject) => {
        calls.push({ keys, answer: () => resolve(keys), fail: () => reject(new Error('down')) })
      }),
  )
  const said = async (keys: readonly string[], first = false) => {
    const { reply, from } = await reads.read(keys, first)
    return reply.slice(from, from + keys.length)
  }
  /** Whoever asks with a key of its own: the keys that have their answer, and those that have none. */
  const answered: string[] = []
  const refused: string[] = []
  const ask = (key: string, first = false) =>
    void said([key], first).then(
      ([own]) => answered.push(own ?? ''),
      () => refused.push(key),
    )
  return { calls, said, ask, answered, refused }
}

const names = (count: number, start = 0) => Array.from({ length: count }, (_, index) => `${start + index}`)

describe('reads', () => {
  test('asked for in one moment go together, and each is told of its own keys, in their order', async () => {
    const { calls, said } = wire()
    const questions = [['a'], names(120), ['b', 'c', 'b'], names(100, 200), ['d']]
    const all = Promise.all(questions.map((keys) => said(keys)))
    await quiet()
    expect(calls.map(({ keys }) => keys.length)).toEqual([124, 101])
    for (const each of [...calls].reverse()) each.answer()
    expect(await all).toEqual(questions)
  })

  test('wait while sixteen calls are under way, and go together when one of them is over', async () => {
    const { calls, ask, answered } = wire()
    for (const key of names(16)) {
      ask(key)
      await quiet()
    }
    for (const key of names(450, 16)) ask(key)
    await quiet()
    expect(calls.map(({ keys }) => keys.length)).toEqual(names(16).map(() => 1))
    calls[3]?.answer()
    await quiet()
    expect(calls.slice(16).map(({ keys }) => keys.length)).toEqual([200])
    calls[5]?.answer()
    calls[7]?.answer()
    await quiet()
    expect(calls.slice(17).map(({ keys }) => keys.length)).toEqual([200, 50])
    expect(answered).toEqual(['3', '5', '7'])
  })

  test('that a fetch waits for go before all others who wait', async () => {
    const { calls, ask } = wire()
    for (const key of names(16)) {
      ask(key)
      await quiet()
    }
    for (const key of names(1_000, 16)) ask(key)
    ask('ticket', true)
    calls[0]?.answer()
    await quiet()
    expect(calls[16]?.keys.slice(0, 2)).toEqual(['ticket', '16'])
  })

  test('are each tried once more by themselves: what no call can read is no matter of others', async () => {
    const { calls, ask, answered, refused } = wire()
    for (const key of names(40)) ask(key)
    await quiet()
    const [together] = calls
    expect(together?.keys).toHaveLength(40)
    together?.fail()
    await quiet()
    // No more than sixteen at a time here either: their deadlines run.
    expect(calls.slice(1).map(({ keys }) => keys)).toEqual(names(16).map((key) => [key]))
    for (let at = 1; at < calls.length; at += 1) {
      if (calls[at]?.keys[0] === '7') calls[at]?.fail()
      else calls[at]?.answer()
      await quiet()
    }
    expect(refused).toEqual(['7'])
    expect(answered).toHaveLength(39)
    expect(calls).toHaveLength(41)
  })

  test('that fail twice are refused, and all who wait are sent at once: nobody waits for those before to fail', async () => {
    const { calls, ask, refused } = wire()
    for (const key of names(16)) {
      ask(key)
      await quiet()
    }
    for (const key of names(450, 16)) ask(key)
    calls[0]?.fail()
    await quiet()
    // Its second try comes before those who have had none.
    expect(calls.slice(16).map(({ keys }) => keys)).toEqual([['0']])
    expect(refused).toEqual([])
    calls[16]?.fail()
    await quiet()
    expect(refused).toEqual(['0'])
    expect(calls.slice(17).map(({ keys }) => keys.length)).toEqual([200, 200, 50])
  })
})
