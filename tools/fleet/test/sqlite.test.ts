import { describeFleet } from './support/scenarios.ts'
import { sqliteStage } from './support/sqlite.ts'

describeFleet(sqliteStage, { push: false })
