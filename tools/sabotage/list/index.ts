import type { Mutation } from '../mutation.ts'
import { clients } from './clients.ts'
import { core } from './core.ts'
import { record } from './record.ts'
import { postgres, redis, sqlite } from './stores.ts'

export const mutations: readonly Mutation[] = [...core, ...clients, ...record, ...redis, ...postgres, ...sqlite]
