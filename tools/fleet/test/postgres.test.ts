import { postgresStage } from './support/postgres.ts'
import { describeFleet } from './support/scenarios.ts'
import { describeFleetWithServer } from './support/scenarios-with-server.ts'

describeFleet(postgresStage, { push: true })
describeFleetWithServer(postgresStage)
