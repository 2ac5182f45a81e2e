/**
 * Real servers for tests, on free ports and in temporary folders. They end with whoever started them, however that ends.
 *
 * @module
 */
export { type RedisCluster, startRedisCluster } from './redis-cluster.ts'
export { type RedisSentinel, startRedisSentinel } from './redis-sentinel.ts'
export { provideRedis, type RedisServer, type RedisServerOptions, type SharedRedis, startRedis } from './redis-server.ts'
