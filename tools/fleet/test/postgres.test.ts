import { postgresStage } from './support/postgres.ts'
import { describeFleet, describeFleetWithServer } from './support/scenarios.ts'

describeFleet(postgresStage, { push: true })
describeFleetWithServer(postgresStage)
