import { describeChain } from './support/chain.ts'
import { redisStage } from './support/redis.ts'

describeChain(redisStage)
