import { redisStage } from './support/redis.ts'
import { describeUsers, ROUNDS } from './support/users.ts'

describeUsers(redisStage, ROUNDS)
