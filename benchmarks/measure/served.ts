import { once } from 'node:events'
import { startChild } from './child.ts'

/** A program in a process of its own that answers one question after the other. */
export interface Served<About, Question, Answer> {
  /** What it said of itself when it was ready. */
  readonly about: About
  /** @throws Error when it ends without an answer */
  ask(question: Question): Promise<Answer>
  end(): Promise<void>
}

/** Starts a program that calls {@link serve}. Resolves once it is ready. @throws Error when it ends before */
export async function startServed<About, Question, Answer>(
  program: URL,
  given: unknown,
  execArgv: readonly string[] = [],
): Promise<Served<About, Question, Answer>> {
  const { process: child, ended } = startChild(program, given, execArgv)
  const next = async <T>(): Promise<T> => {
    const [{ value }] = (await Promise.race([once(child, 'message'), ended])) as [{ readonly value: T }]
    return value
  }
  const about = await next<About>()
  return {
    about,
    ask(question) {
      const answer = next<Answer>()
      child.send({ question })
      return answer
    },
    async end() {
      child.kill()
      await ended.catch(() => {})
    },
  }
}

/** Starts the same program so many times. @throws Error when one of them ends before it is ready; the others are ended too */
export async function startFleet<About, Question, Answer>(
  program: URL,
  given: unknown,
  processes: number,
  execArgv: readonly string[] = [],
): Promise<readonly Served<About, Question, Answer>[]> {
  const starting = Array.from({ length: processes }, () => startServed<About, Question, Answer>(program, given, execArgv))
  const started = await Promise.allSettled(starting)
  const fleet = started.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
  if (fleet.length < processes) await Promise.all(fleet.map((each) => each.end()))
  await Promise.all(starting)
  return fleet
}

/** What a program started by {@link startServed} calls when it is ready. It ends with whoever asks. */
export function serve<Question, Answer>(about: unknown, answer: (question: Question) => Promise<Answer>): void {
  process.on('message', ({ question }: { readonly question: Question }) => {
    // One that fails ends the process, and is told by that.
    void answer(question).then((value) => process.send?.({ value }))
  })
  process.once('disconnect', () => process.exit(0))
  process.send?.({ value: about })
}
