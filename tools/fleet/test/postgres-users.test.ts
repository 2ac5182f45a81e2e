import { postgresStage } from './support/postgres.ts'
import { describeUsers } from './support/users.ts'

describeUsers(postgresStage, 60)
