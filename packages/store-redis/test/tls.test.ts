import { spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { redisStore } from '@tokenwell/store-redis'
import { startRedis } from '@tokenwell/test-servers'
import { Redis as Redis6, type RedisOptions } from 'ioredis'
import { Redis as Redis5 } from 'ioredis-5'
import { expect, onTestFinished, test } from 'vitest'
import { claim, patient, publication } from './support/operations.ts'

type Options = Pick<RedisOptions, 'host' | 'port' | 'tls'>

/** A server that is spoken to over TLS, with a certificate for this machine. */
async function startTls(): Promise<{ readonly port: number; readonly ca: Buffer }> {
  const folder = await mkdtemp(join(tmpdir(), 'tokenwell-tls-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')]
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
  const made = spawnSync('openssl', [
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-days',
    '2',
    '-keyout',
    key,
    '-out',
    certificate,
    ...subject,
  ])
  if (made.status !== 0) throw new Error(`this test needs openssl on the PATH, to make a certificate: ${made.error ?? made.stderr}`)
  const port = await freePort()
  const server = await startRedis({
    settings: {
      'tls-port': String(port),
      'tls-cert-file': certificate,
      'tls-key-file': key,
      'tls-ca-cert-file': certificate,
      'tls-auth-clients': 'no',
    },
  })
  onTestFinished(() => server.stop())
  return { port, ca: await readFile(certificate) }
}

async function freePort(): Promise<number> {
  const listener = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => listener.once('listening', resolve))
  const address = listener.address()
  await new Promise((resolve) => listener.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}

test.each([
  ['5', (options: Options) => new Redis5(options)],
  ['6', (options: Options) => new Redis6(options)],
] as const)('over TLS, with ioredis %s, records are written and changes heard', async (_, connect) => {
  const { port, ca } = await startTls()
  const client = connect({ host: '127.0.0.1', port, tls: { ca, servername: 'localhost' } })
  onTestFinished(() => client.disconnect())
  const store = redisStore({ client })
  onTestFinished(() => store.close())
  const told = Promise.withResolvers<unknown>()
  await store.subscribe?.((change) => told.resolve(change))

  const granted = await store.claim('key', 'a', claim, patient)
  const fence = granted.kind === 'granted' ? granted.fence : 0
  expect(await store.publish('key', 'a', fence, publication, patient)).toMatchObject({ kind: 'accepted' })
  expect(await told.promise).toEqual({ kind: 'changed', key: 'key', version: fence })
  expect(await store.read(['key'], patient)).toMatchObject([{ version: fence, value: publication.value }])
})
