import { describe, expect, test } from 'vitest'
import { installedPostgres, providePgbouncer } from '../postgres-engine.ts'
import { type FakeMachineOptions, fakeMachine } from './support/fake-machine.ts'

const DEBIAN = ['/usr/lib/postgresql/15/bin/postgres', '/usr/lib/postgresql/15/bin/initdb']
/** Packages put their programs where Debian has them. */
const brings = (packages: readonly string[]) => (packages.includes('pgbouncer') ? ['/usr/sbin/pgbouncer'] : DEBIAN)
const machine = (given: Partial<FakeMachineOptions> & Pick<FakeMachineOptions, 'programs'>) =>
  fakeMachine({ isRoot: false, brings, ...given })

describe('a second PostgreSQL for the tests', () => {
  test('is the one on the PATH, before anything else', () => {
    const { fake, ran } = machine({ programs: ['postgres', 'initdb', 'apt-get'], isRoot: true })
    expect(installedPostgres(fake)).toEqual({ postgres: '/bin/postgres', initdb: '/bin/initdb' })
    expect(ran).toEqual([])
  })

  test('may be where Debian puts it', () => {
    const programs = ['/usr/lib/postgresql/16/bin/postgres', '/usr/lib/postgresql/16/bin/initdb']
    expect(installedPostgres(machine({ programs }).fake).postgres).toBe('/usr/lib/postgresql/16/bin/postgres')
  })

  test('is installed as root on Debian and Ubuntu, which is said', () => {
    const { fake, ran, said } = machine({ programs: ['apt-get'], isRoot: true, aptInstalls: 2 })
    expect(installedPostgres(fake).initdb).toBe('/usr/lib/postgresql/15/bin/initdb')
    expect(ran).toEqual(['/bin/apt-get install', '/bin/apt-get update', '/bin/apt-get install'])
    expect(said.join()).toMatch(/^There is no postgresql on this machine: apt-get install --yes .* postgresql$/)
  })

  test.each([
    ['nobody but root may install', { programs: ['apt-get'] }],
    ['there is nothing at all', { programs: [] }],
    ['the installation fails', { programs: ['apt-get'], isRoot: true, aptInstalls: 9 }],
  ])('is asked for in one sentence where %s', (_, given) => {
    expect(() => installedPostgres(machine(given).fake)).toThrow(/^The tests need a second PostgreSQL: install version 14 or later so that/)
  })
})

describe('a PgBouncer for the tests', () => {
  test('is installed as root on Debian and Ubuntu', () => {
    expect(providePgbouncer(machine({ programs: ['apt-get'], isRoot: true }).fake)).toBe('/usr/sbin/pgbouncer')
  })

  test('is asked for in one sentence where there is none', () => {
    expect(() => providePgbouncer(machine({ programs: [] }).fake)).toThrow(
      'The tests need PgBouncer: install pgbouncer so that it is on the PATH.',
    )
  })
})
