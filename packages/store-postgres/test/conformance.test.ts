import { describe } from 'vitest'
import { testVersion } from './support/versions.ts'

describe('on the newest PostgreSQL', () => testVersion('embedded', /^18\./, ['read committed', 'serializable']))
