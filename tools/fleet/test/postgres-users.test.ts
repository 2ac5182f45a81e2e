import { postgresStage } from './support/postgres.ts'
import { describeUsers, ROUNDS } from './support/users.ts'

describeUsers(postgresStage, ROUNDS)
