import { redisStage } from './support/redis.ts'
import { describeUsers } from './support/users.ts'

describeUsers(redisStage, 200)
