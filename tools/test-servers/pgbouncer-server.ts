import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { freePorts } from './free-port.ts'
import { identity } from './machine.ts'
import { providePgbouncer } from './postgres-engine.ts'
import { launchFamily } from './process-family.ts'
import { guard } from './wards.ts'

export interface PgbouncerOptions {
  /** The server behind it. */
  readonly upstream: { readonly port: number }
  readonly poolMode: 'session' | 'transaction'
}

/** A pooler in front of a server, for any of its databases; everybody is let in as its superuser. */
export interface Pgbouncer {
  readonly port: number
  /** Of the database `postgres`. */
  readonly url: string
  readonly pid: number
  stop(): Promise<void>
}

export async function startPgbouncer({ upstream, poolMode }: PgbouncerOptions): Promise<Pgbouncer> {
  const command = providePgbouncer()
  const user = identity()
  const [port = 0] = await freePorts(1)
  const folder = await mkdtemp(join(tmpdir(), 'tokenwell-pgbouncer-'))
  const release = guard({ folder })
  const remove = async () => {
    await rm(folder, { recursive: true, force: true, maxRetries: 20 })
    release()
  }
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`
  try {
    if (user !== undefined) await chown(folder, user.uid, user.gid)
    const file = join(folder, 'pgbouncer.ini')
    await writeFile(file, configuration(port, upstream.port, poolMode), { mode: 0o644 })
    const server = await launchFamily({ command, args: [file], folder, user, answers: () => answers(url) })
    return {
      port,
      url,
      pid: server.pid,
      async stop() {
        await server.kill()
        await remove()
      },
    }
  } catch (error) {
    await remove()
    throw error
  }
}

function configuration(port: number, upstream: number, poolMode: string): string {
  return [
    '[databases]',
    `* = host=127.0.0.1 port=${upstream} user=postgres`,
    '[pgbouncer]',
    'listen_addr = 127.0.0.1',
    `listen_port = ${port}`,
    'unix_socket_dir =',
    'auth_type = any',
    `pool_mode = ${poolMode}`,
    'max_client_conn = 500',
    'default_pool_size = 20',
    '',
  ].join('\n')
}

async function answers(url: string): Promise<boolean> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 1_000 })
  client.on('error', () => {})
  try {
    await client.connect()
    await client.query('select 1')
    return true
  } catch {
    return false
  } finally {
    await client.end()
  }
}
