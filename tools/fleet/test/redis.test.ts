import { redisStage } from './support/redis.ts'
import { describeFleet } from './support/scenarios.ts'
import { describeFleetWithServer } from './support/scenarios-with-server.ts'

describeFleet(redisStage, { push: true })
describeFleetWithServer(redisStage)
