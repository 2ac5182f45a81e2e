import type { Ended } from './run.ts'

/** What a check made of what it was run on. */
export interface Verdict {
  /** `broke`: it came to no end of its own, which says nothing of what it was run on. */
  readonly outcome: 'caught' | 'missed' | 'broke'
  /** What caught it, or what broke. */
  readonly by: string
}

/**
 * A test that failed, and the first line of why. A suite that could not be loaded, a server that did not start and an exception of the
 * program (a name that is not there, a statement that does not parse) fail, too, whatever the code does: they are none of these. What core
 * itself throws is, and so is a test that was not over in its time: that its callers are answered is what it claims, and without the
 * mutation it has just been in time. A program that had to be ended has said nothing of any test.
 */
const FAILED_TEST =
  /^ *FAIL +(.*)\n(?:AssertionError|TestTimeoutError|TokenError|Error: expected number of assertions|Error: Property failed)\b/m

/** A world in which something was that must not be, and what was first. */
const WRONG_WORLD = /^(seed \d+: .*)$/m

/**
 * An exception instead, wherever it came out, by the same rule: the broken program is to be told from the broken rule. What core rejects and nobody awaits would
 * have ended a process, and a world in which time stands still would never have been over.
 */
const BROKEN_WORLD =
  /^seed \d+: .*?(?:the world could not be played|thrown, and caught by nobody: (?!TokenError\b|RangeError: time stands still\b)|(?:a caller got|rejected with) (?:Type|Reference|Syntax|Range)Error\b)/

/** Of what vitest printed, without colours. */
export function testVerdict(ended: Ended): Verdict {
  return verdict(ended, FAILED_TEST)
}

/** Of what `play.ts` printed. */
export function playVerdict(ended: Ended): Verdict {
  const told = verdict(ended, WRONG_WORLD)
  return told.outcome === 'caught' && BROKEN_WORLD.test(told.by) ? { outcome: 'broke', by: told.by } : told
}

function verdict({ code, output }: Ended, what: RegExp): Verdict {
  if (code === undefined) return { outcome: 'broke', by: 'it was ended before its own end' }
  if (code === 0) return { outcome: 'missed', by: '' }
  const found = what.exec(output)?.[1]
  if (found !== undefined) return { outcome: 'caught', by: found }
  const last = output.trimEnd().split('\n').at(-1) ?? ''
  return { outcome: 'broke', by: `exit code ${code}: ${/^\w*Error\b.*$/m.exec(output)?.[0] ?? last}` }
}
