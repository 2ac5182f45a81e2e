import { redisStage } from './support/redis.ts'
import { describeFleet, describeFleetWithServer } from './support/scenarios.ts'

describeFleet(redisStage, { push: true })
describeFleetWithServer(redisStage)
