import { describe, expect, test } from 'vitest'
import { provideRedisEngine } from '../redis-engine.ts'
import { type FakeMachineOptions, fakeMachine } from './support/fake-machine.ts'

interface Fake extends FakeMachineOptions {
  readonly dockerRuns: boolean
}

function machine({ dockerRuns = true, ...given }: Partial<Fake> & Pick<Fake, 'programs'>) {
  return fakeMachine({ isRoot: false, succeeds: (command) => command !== '/bin/docker' || dockerRuns, ...given })
}

describe('a Redis for the tests', () => {
  test('is the one on the PATH, before anything else', () => {
    const { fake, ran } = machine({ programs: ['redis-server', 'valkey-server', 'docker', 'apt-get'], isRoot: true })
    expect(provideRedisEngine(fake).command(['--port', '1'], '/folder')).toEqual({ command: '/bin/redis-server', args: ['--port', '1'] })
    expect(ran).toEqual([])
  })

  test('may be a Valkey', () => {
    expect(provideRedisEngine(machine({ programs: ['valkey-server'] }).fake).name).toBe('/bin/valkey-server')
  })

  test('is a container where an engine answers, on the network of the host, with the folder at the same place', () => {
    const { fake, ran } = machine({ programs: ['docker', 'apt-get'], isRoot: true })
    const { command, args, container } = provideRedisEngine(fake).command(['--port', '1'], '/folder')
    expect(ran).toEqual(['/bin/docker version'])
    expect(command).toBe('/bin/docker')
    expect(args.slice(0, 8)).toEqual(['run', '--rm', '--name', container, '--network', 'host', '--volume', '/folder:/folder'])
    expect(args.slice(-4)).toEqual(['redis:8', 'redis-server', '--port', '1'])
  })

  test('is installed as root on Debian and Ubuntu, which is said', () => {
    const { fake, ran, said } = machine({ programs: ['docker', 'apt-get'], isRoot: true, dockerRuns: false })
    expect(provideRedisEngine(fake).name).toBe('/bin/redis-server')
    expect(ran).toEqual(['/bin/docker version', '/bin/apt-get install'])
    expect(said.join()).toMatch(/^There is no redis-server on this machine: apt-get install --yes .* redis-server$/)
  })

  test('is looked for anew when the list of packages was old', () => {
    const { fake, ran } = machine({ programs: ['apt-get'], isRoot: true, aptInstalls: 2 })
    expect(provideRedisEngine(fake).name).toBe('/bin/redis-server')
    expect(ran).toEqual(['/bin/apt-get install', '/bin/apt-get update', '/bin/apt-get install'])
  })

  test.each([
    ['nobody but root may install', { programs: ['apt-get'] }],
    ['there is nothing at all', { programs: [] }],
    ['the installation fails', { programs: ['apt-get'], isRoot: true, aptInstalls: 9 }],
  ])('is asked for in one sentence where %s', (_, given) => {
    expect(() => provideRedisEngine(machine(given).fake)).toThrow(
      /^The tests need a Redis: install redis-server or valkey-server so that it is on the PATH, or start Docker, or set TEST_REDIS_URL/,
    )
  })
})
