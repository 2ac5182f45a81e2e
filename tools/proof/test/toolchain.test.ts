import { describe, expect, test } from 'vitest'
import { type FakeMachineOptions, fakeMachine } from '../../test-servers/test/support/fake-machine.ts'
import { provideToolchain } from '../toolchain.ts'

const machine = (given: Partial<FakeMachineOptions> & Pick<FakeMachineOptions, 'programs'>) => fakeMachine({ isRoot: true, ...given })

describe('Spin and a compiler', () => {
  test('are those on the PATH, before anything else', () => {
    const { fake, ran } = machine({ programs: ['spin', 'clang', 'apt-get'] })
    expect(provideToolchain(fake)).toEqual({ spin: '/bin/spin', compiler: '/bin/clang' })
    expect(ran).toEqual([])
  })

  test('are installed as root on Debian and Ubuntu, which is said', () => {
    const { fake, said } = machine({ programs: ['apt-get'] })
    expect(provideToolchain(fake)).toEqual({ spin: '/bin/spin', compiler: '/bin/gcc' })
    expect(said.join()).toMatch(/^There is no spin on this machine: apt-get install --yes .* spin gcc libc6-dev$/)
  })

  test('are installed only as far as they are missing', () => {
    const { fake, said } = machine({ programs: ['apt-get', 'gcc'] })
    expect(provideToolchain(fake).spin).toBe('/bin/spin')
    expect(said.join()).toMatch(/ spin$/)
  })

  test('are looked for anew when the list of packages was old', () => {
    const { fake, ran } = machine({ programs: ['apt-get', 'gcc'], aptInstalls: 2 })
    expect(provideToolchain(fake).spin).toBe('/bin/spin')
    expect(ran).toEqual(['/bin/apt-get install', '/bin/apt-get update', '/bin/apt-get install'])
  })

  test.each([
    ['nobody but root may install', { programs: ['apt-get'], isRoot: false }],
    ['there is no apt-get', { programs: ['gcc'] }],
    ['the installation fails', { programs: ['apt-get'], aptInstalls: 9 }],
  ])('are asked for in one sentence when %s', (_, given) => {
    expect(() => provideToolchain(machine(given).fake)).toThrow(/^The proof needs Spin 6 and a C compiler: install the packages spin, gcc/)
  })
})
