import { startChild } from './child.ts'

/** What a program started by {@link inProcess} calls when it knows. */
export function answer(value: unknown): void {
  process.send?.({ value }, () => process.disconnect())
}

/** Runs a program in a process of its own. @returns what it answers. @throws Error when it ends without an answer */
export function inProcess<T>(program: URL, given: unknown, execArgv: readonly string[] = []): Promise<T> {
  const { process: child, ended } = startChild(program, given, execArgv)
  const answered = new Promise<T>((resolve) => child.once('message', ({ value }: { readonly value: T }) => resolve(value)))
  return Promise.race([answered, ended])
}
