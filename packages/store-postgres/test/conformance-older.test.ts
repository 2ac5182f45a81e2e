import { describe } from 'vitest'
import { testVersion } from './support/versions.ts'

describe('on the PostgreSQL of the machine', () => testVersion('path', /^1[4-8]\./, ['read committed']))
