import type { SharedPostgres } from '@tokenwell/test-servers'
import type { Pool } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testConformance } from './conformance.ts'
import { connect } from './pool.ts'

type IsolationLevel = 'read committed' | 'repeatable read' | 'serializable'

/** Options of a pool whose sessions have this level by default. */
export const isolated = (level: IsolationLevel) => ({ options: `-c default_transaction_isolation=${level.replaceAll(' ', '\\ ')}` })

/** The conformance suite on one PostgreSQL, which must be of this version, at each of these levels. */
export function testVersion(provide: () => Promise<SharedPostgres>, version: RegExp, levels: readonly IsolationLevel[]): void {
  let server: SharedPostgres
  let admin: Pool

  beforeAll(async () => {
    server = await provide()
    admin = connect(server.url)
  }, 60_000)

  afterAll(async () => {
    await admin.end()
    await server.stop()
  })

  test('the server is of that version', async () => {
    const { rows } = await admin.query('show server_version')
    expect(rows[0].server_version).toMatch(version)
  })

  describe.each(levels)('directly, %s by default, the store keeps the contract', (level) => {
    testConformance({ schema: level, connect: () => connect(server.url, isolated(level)), admin: () => admin })
  })
}
