import { postgresStore } from '@tokenwell/store-postgres'
import { Pool } from 'pg'
import type { Contender } from '../contender.ts'
import { openTokenwell } from '../tokenwell.ts'

export const contender: Contender = {
  name: 'Tokenwell on PostgreSQL',
  open: ({ postgresUrl, upstreamUrl }) => openTokenwell(postgresStore({ pool: new Pool({ connectionString: postgresUrl }) }), upstreamUrl),
}
