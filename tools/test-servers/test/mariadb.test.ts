import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createConnection, type RowDataPacket } from 'mysql2/promise'
import { expect, test } from 'vitest'
import { startMariadb } from '../index.ts'
import { isAlive } from '../is-alive.ts'

test('a MariaDB answers, says nothing while it is frozen, and is gone with its files when it is stopped', async () => {
  const server = await startMariadb()
  const connection = await createConnection(server.url)
  connection.on('error', () => {})
  const [rows] = await connection.query<RowDataPacket[]>('select @@datadir as folder, database() as name')
  expect(rows).toEqual([{ folder: `${server.folder}/`, name: 'tokenwell' }])
  server.pause()
  let answered = false
  const answer = connection.query('select 1').then(() => {
    answered = true
  })
  // Somebody who is not frozen answers meanwhile.
  expect(spawnSync('true').status).toBe(0)
  expect(answered).toBe(false)
  server.resume()
  await answer
  connection.destroy()
  await server.stop()
  expect([isAlive(server.pid), existsSync(server.folder)]).toEqual([false, false])
})
