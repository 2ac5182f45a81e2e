import type { Mutation } from '../mutation.ts'
import { clients } from './clients.ts'
import { callers } from './core/callers.ts'
import { claims } from './core/claims.ts'
import { fetches } from './core/fetches.ts'
import { knowledge } from './core/knowledge.ts'
import { rotations } from './core/rotations.ts'
import { seal } from './core/seal.ts'
import { record } from './record.ts'
import { postgres, redis, sqlite } from './stores.ts'

const core: readonly Mutation[] = [...knowledge, ...claims, ...fetches, ...rotations, ...callers, ...seal]

export const mutations: readonly Mutation[] = [...core, ...clients, ...record, ...redis, ...postgres, ...sqlite]
