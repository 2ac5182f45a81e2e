import { describe, expect, test } from 'vitest'
import { Reads } from '../../src/reads.ts'
import { quiet } from '../support/world.ts'

/** Calls that the test answers, with the keys that were asked for. */
function wire() {
  const calls: { readonly keys: readonly string[]; answer(): void; fail(): void }[] = []
  const reads = new Reads(
    (keys) =>
      new Promise<readonly string[]>((resolve, reject) => {
        calls.push({ keys, answer: () => resolve(keys), fail: () => reject(new Error('down')) })
      }),
  )
  const said = async (keys: readonly string[]) => {
    const { reply, from } = await reads.read(keys)
    return reply.slice(from, from + keys.length)
  }
  const answered: string[] = []
  const refused: string[] = []
  const ask = (key: string) =>
    void said([key]).then(
      ([own]) => answered.push(own ?? ''),
      () => refused.push(key),
    )
  const sizes = () => calls.map(({ keys }) => keys.length)
  return { calls, said, ask, answered, refused, sizes }
}

const names = (count: number, start = 0) => Array.from({ length: count }, (_, index) => `${start + index}`)

describe('reads', () => {
  test('asked for in one moment go together, and each is told of its own keys, in their order', async () => {
    const { calls, said, sizes } = wire()
    const questions = [['a'], names(120), ['b', 'c', 'b'], names(100, 200), ['d'], names(200, 300), []]
    const all = Promise.all(questions.map((keys) => said(keys)))
    await quiet()
    expect(sizes()).toEqual([124, 101, 200])
    for (const each of [...calls].reverse()) each.answer()
    expect(await all).toEqual(questions)
  })

  test('wait while sixteen calls are under way, and go together when one of them is over', async () => {
    const { calls, ask, answered, sizes } = wire()
    for (const key of names(16)) {
      ask(key)
      await quiet()
    }
    for (const key of names(450, 16)) ask(key)
    await quiet()
    expect(sizes()).toEqual(names(16).map(() => 1))
    calls[3]?.answer()
    await quiet()
    expect(sizes().slice(16)).toEqual([200])
    calls[5]?.answer()
    calls[7]?.answer()
    await quiet()
    expect(sizes().slice(17)).toEqual([200, 50])
    expect(answered).toEqual(['3', '5', '7'])
  })

  test('all go when one call has failed: nobody waits for those before to fail', async () => {
    const { calls, ask, refused, sizes } = wire()
    for (const key of names(16)) {
      ask(key)
      await quiet()
    }
    for (const key of names(450, 16)) ask(key)
    calls[0]?.fail()
    await quiet()
    expect(refused).toEqual(['0'])
    expect(sizes().slice(16)).toEqual([200, 200, 50])
    for (const each of calls.slice(1)) each.answer()
    await quiet()
    for (const key of names(20, 500)) {
      ask(key)
      await quiet()
    }
    expect(sizes().slice(19)).toEqual(names(16).map(() => 1))
  })
})
