import { startPostgres } from '@tokenwell/test-servers'
import { describe } from 'vitest'
import { testVersion } from './support/versions.ts'

const provide = () => startPostgres({ version: 'path' })

describe('on the PostgreSQL of the machine', () => testVersion(provide, /^1[4-8]\./, ['read committed']))
