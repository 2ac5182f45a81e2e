import { describeAtRest } from './support/at-rest.ts'
import { sqliteStage } from './support/sqlite.ts'

describeAtRest(sqliteStage)
