import { describeAtRest } from './support/at-rest.ts'
import { redisStage } from './support/redis.ts'

describeAtRest(redisStage)
