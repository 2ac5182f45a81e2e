import { virtualClock } from '@tokenwell/testkit'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Alarm, Alarms, UNSET } from '../../src/alarms.ts'

function alarmsOn() {
  const clock = virtualClock()
  const rung: { readonly name: number; readonly at: number }[] = []
  const named = (name: number, ring = () => {}): Alarm => ({
    slot: UNSET,
    ring() {
      rung.push({ name, at: clock.monotonic() })
      ring()
    },
  })
  return { clock, alarms: new Alarms(clock), rung, named }
}

test('whatever is set, moved and cleared: each alarm rings once, at its moment, and none that is not set', async () => {
  const act = fc.record({ name: fc.nat(19), moment: fc.option(fc.nat(1_000)) })
  await fc.assert(
    fc.asyncProperty(fc.array(act, { maxLength: 200 }), async (acts) => {
      const { clock, alarms, rung, named } = alarmsOn()
      const begun = clock.monotonic()
      const all = Array.from({ length: 20 }, (_, name) => named(name))
      const expected = new Map<number, number>()
      for (const { name, moment } of acts) {
        const alarm = all[name] as Alarm
        if (moment === null) {
          alarms.clear(alarm)
          expected.delete(name)
        } else {
          alarms.set(alarm, begun + moment)
          expected.set(name, begun + moment)
        }
      }
      await clock.advance(1_001)
      expect(new Map(rung.map(({ name, at }) => [name, at]))).toEqual(expected)
      expect(rung).toHaveLength(expected.size)
      expect(rung.map(({ at }) => at)).toEqual(rung.map(({ at }) => at).sort((a, b) => a - b))
      expect(clock.pending).toBe(0)
    }),
  )
})

test('an alarm that another has cleared when both are due does not ring', async () => {
  const { clock, alarms, rung, named } = alarmsOn()
  const second = named(2)
  const first = named(1, () => alarms.clear(second))
  const moment = clock.monotonic() + 10
  alarms.set(first, moment)
  alarms.set(second, moment)
  await clock.advance(20)
  expect(rung.map(({ name }) => name)).toEqual([1])
})

test('an alarm that sets itself again for now lets others have their turn', async () => {
  const { clock, alarms, rung, named } = alarmsOn()
  let left = 5
  const again = named(1, () => {
    if (left-- > 0) alarms.set(again, clock.monotonic())
  })
  alarms.set(again, clock.monotonic())
  alarms.set(named(2), clock.monotonic())
  await clock.advance(1)
  expect(rung.map(({ name }) => name)).toEqual([1, 2, 1, 1, 1, 1, 1])
})

test('a thousand that are due together ring a hundred at a time', async () => {
  const { clock, alarms, rung, named } = alarmsOn()
  const turns: number[] = []
  const moment = clock.monotonic() + 1
  for (let each = 0; each < 1_000; each++) alarms.set(named(each), moment)
  clock.schedule(() => turns.push(rung.length), 1)
  await clock.advance(1)
  expect(rung).toHaveLength(1_000)
  expect(turns).toEqual([100])
})
