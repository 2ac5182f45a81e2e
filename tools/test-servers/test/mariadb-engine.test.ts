import { describe, expect, test } from 'vitest'
import type { Machine } from '../machine.ts'
import { provideMariadbEngine } from '../mariadb-engine.ts'

interface Fake {
  readonly programs: readonly string[]
  readonly isRoot: boolean
  /** The attempt that succeeds. */
  readonly aptInstalls: number
}

/** A machine with these programs, and a record of what was run on it. `apt-get install` puts what it is asked for where Debian has it. */
function machine({ programs, isRoot = true, aptInstalls = 1 }: Partial<Fake> & Pick<Fake, 'programs'>) {
  const found = new Set(programs)
  const ran: string[] = []
  const said: string[] = []
  let installs = 0
  const fake: Machine = {
    find: (program, folders = []) => ['/usr/bin', ...folders].map((folder) => `${folder}/${program}`).find((path) => found.has(path)),
    run(command, args) {
      ran.push(`${command} ${args[0]}`)
      if (args[0] !== 'install') return true
      if (++installs < aptInstalls) return false
      for (const path of ['/usr/sbin/mariadbd', '/usr/bin/mariadb-install-db', '/usr/bin/my_print_defaults']) found.add(path)
      return true
    },
    isRoot,
    say: (line) => said.push(line),
  }
  return { fake, ran, said }
}

const APT = '/usr/bin/apt-get'

describe('a MariaDB for the tests', () => {
  test('is the one on the PATH, before anything else', () => {
    const programs = ['/usr/bin/mariadbd', '/usr/bin/mariadb-install-db', '/usr/bin/my_print_defaults', APT]
    const { fake, ran } = machine({ programs })
    expect(provideMariadbEngine(fake)).toEqual({ mariadbd: '/usr/bin/mariadbd', installDb: '/usr/bin/mariadb-install-db' })
    expect(ran).toEqual([])
  })

  test('is installed as root on Debian and Ubuntu, which is said, also where a part of it is there', () => {
    const { fake, ran, said } = machine({ programs: [APT, '/usr/sbin/mariadbd', '/usr/bin/mariadb-install-db'], aptInstalls: 2 })
    expect(provideMariadbEngine(fake).mariadbd).toBe('/usr/sbin/mariadbd')
    expect(ran).toEqual([`${APT} install`, `${APT} update`, `${APT} install`])
    expect(said.join()).toMatch(/apt-get install --yes .* mariadb-server-core mariadb-client-core$/)
  })

  test.each([
    ['nobody but root may install', { programs: [APT], isRoot: false }],
    ['there is nothing at all', { programs: [] }],
    ['the installation fails', { programs: [APT], aptInstalls: 9 }],
  ])('is asked for in one sentence where %s', (_, given) => {
    expect(() => provideMariadbEngine(machine(given).fake)).toThrow(/^The tests need a MariaDB: install version 10\.6 or later so that/)
  })
})
