import { type Pgbouncer, type PostgresServer, startPgbouncer, startPostgres } from '@tokenwell/test-servers'
import type { Pool } from 'pg'
import { afterAll, beforeAll, describe } from 'vitest'
import { testConformance } from './support/conformance.ts'
import { connect } from './support/pool.ts'

describe.each(['embedded', 'path'] as const)('through PgBouncer in transaction mode, on the PostgreSQL that is %s', (version) => {
  let server: PostgresServer
  let pgbouncer: Pgbouncer
  let admin: Pool

  beforeAll(async () => {
    server = await startPostgres({ version })
    pgbouncer = await startPgbouncer({ upstream: server, poolMode: 'transaction' })
    admin = connect(server.url)
  }, 60_000)

  afterAll(async () => {
    await admin.end()
    await pgbouncer.stop()
    await server.stop()
  })

  describe('the store keeps the contract', () => {
    testConformance({ schema: 'pooled', connect: () => connect(pgbouncer.url), admin: () => admin, listen: () => server.url })
  })
})
