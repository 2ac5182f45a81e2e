import { describeChain } from './support/chain.ts'
import { postgresStage } from './support/postgres.ts'

describeChain(postgresStage)
