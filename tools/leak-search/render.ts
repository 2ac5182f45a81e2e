import buffer from 'node:buffer'
import { type InspectOptions, inspect } from 'node:util'

const EVERYTHING: InspectOptions = {
  depth: Number.POSITIVE_INFINITY,
  showHidden: true,
  maxArrayLength: Number.POSITIVE_INFINITY,
  maxStringLength: Number.POSITIVE_INFINITY,
  breakLength: Number.POSITIVE_INFINITY,
}

function attempt(view: () => string | undefined): string {
  try {
    return view() ?? ''
  } catch (error) {
    return `(${error instanceof Error ? error.message : 'unprintable'})`
  }
}

/** An error, what it says of itself, and everything it was caused by. */
function* withCauses(value: unknown, seen = new Set<unknown>()): Generator<unknown> {
  if (seen.has(value)) return
  seen.add(value)
  yield value
  if (!(value instanceof Error)) return
  yield value.stack
  yield value.message
  yield* withCauses(value.cause, seen)
  if (value instanceof AggregateError) for (const each of value.errors) yield* withCauses(each, seen)
}

/** All that a user can get to see of a value: inspected as it wishes and against its wish, as a string, as JSON, with stacks and causes. */
export function render(value: unknown): string {
  if (typeof value === 'string') return value
  const cut = buffer.INSPECT_MAX_BYTES
  buffer.INSPECT_MAX_BYTES = Number.POSITIVE_INFINITY
  try {
    const views = [...withCauses(value)].flatMap((each) =>
      typeof each === 'string'
        ? [each]
        : [
            attempt(() => inspect(each, EVERYTHING)),
            attempt(() => inspect(each, { ...EVERYTHING, customInspect: false })),
            attempt(() => JSON.stringify(each)),
            attempt(() => String(each)),
          ],
    )
    return [...new Set(views)].join('\n')
  } finally {
    buffer.INSPECT_MAX_BYTES = cut
  }
}
