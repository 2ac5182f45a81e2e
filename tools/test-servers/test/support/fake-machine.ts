import type { Machine } from '../../machine.ts'

export interface FakeMachineOptions {
  /** What is there: full paths, or names of what is in /bin. */
  readonly programs: readonly string[]
  readonly isRoot: boolean
  /** The attempt to install that succeeds. Default: the first. */
  readonly aptInstalls?: number | undefined
  /** What packages bring, as for `programs`. Default: a program of the same name each. */
  readonly brings?: (packages: readonly string[]) => readonly string[]
  /** Whether a program succeeds that installs nothing. Default: it does. */
  readonly succeeds?: (command: string) => boolean
}

/** A machine with these programs, and a record of what was run on it. */
export function fakeMachine({
  programs,
  isRoot,
  aptInstalls = 1,
  brings = (packages) => packages,
  succeeds = () => true,
}: FakeMachineOptions) {
  const pathOf = (program: string) => (program.includes('/') ? program : `/bin/${program}`)
  const found = new Set(programs.map(pathOf))
  const ran: string[] = []
  const said: string[] = []
  let installs = 0
  const fake: Machine = {
    find: (program, folders = []) => ['/bin', ...folders].map((folder) => `${folder}/${program}`).find((path) => found.has(path)),
    run(command, [first = '', ...rest]) {
      ran.push(`${command} ${first}`)
      if (first !== 'install') return succeeds(command)
      if (++installs < aptInstalls) return false
      for (const program of brings(rest.filter((each) => !each.startsWith('-')))) found.add(pathOf(program))
      return true
    },
    isRoot,
    say: (line) => said.push(line),
  }
  return { fake, ran, said }
}
