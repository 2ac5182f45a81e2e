import { describe, expect, test } from 'vitest'
import { provideMariadbEngine } from '../mariadb-engine.ts'
import { type FakeMachineOptions, fakeMachine } from './support/fake-machine.ts'

const brings = () => ['/usr/sbin/mariadbd', 'mariadb-install-db', 'my_print_defaults']
const machine = (given: Partial<FakeMachineOptions> & Pick<FakeMachineOptions, 'programs'>) =>
  fakeMachine({ isRoot: true, brings, ...given })

const APT = '/bin/apt-get'

describe('a MariaDB for the tests', () => {
  test('is the one on the PATH, before anything else', () => {
    const programs = ['/bin/mariadbd', '/bin/mariadb-install-db', '/bin/my_print_defaults', APT]
    const { fake, ran } = machine({ programs })
    expect(provideMariadbEngine(fake)).toEqual({ mariadbd: '/bin/mariadbd', installDb: '/bin/mariadb-install-db' })
    expect(ran).toEqual([])
  })

  test('is installed as root on Debian and Ubuntu, which is said, also where a part of it is there', () => {
    const { fake, ran, said } = machine({ programs: [APT, '/usr/sbin/mariadbd', '/bin/mariadb-install-db'], aptInstalls: 2 })
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
