// Starts a server and freezes another, tells its parent, and ends when told to, or in any other way.
import { startPostgres } from '../index.ts'

const servers = await Promise.all([startPostgres(), startPostgres(), startPostgres()])
servers[1]?.pause()
await servers[2]?.kill()
process.on('message', () => process.exit())
process.send?.(servers.map(({ pid, folder }) => ({ pid, folder })))
