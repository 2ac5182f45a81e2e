import { describeAtRest } from './support/at-rest.ts'
import { postgresStage } from './support/postgres.ts'

describeAtRest(postgresStage)
