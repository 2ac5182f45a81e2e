import { providePostgres } from '@tokenwell/test-servers'
import { describe } from 'vitest'
import { testVersion } from './support/versions.ts'

const VERSION = process.env.TEST_POSTGRES_URL ? /^\d+/ : /^18\./

describe('on the newest PostgreSQL, or the one that is given', () =>
  testVersion(providePostgres, VERSION, ['read committed', 'serializable']))
