export type { RedisClient, RedisCluster, RedisServer, RedisSubscriber } from './client.ts'
export { type RedisStoreOptions, redisStore } from './redis-store.ts'
