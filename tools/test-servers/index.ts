/**
 * Real servers for tests, on free ports and in temporary folders. They end with whoever started them, however that ends.
 *
 * @module
 */
export { freePorts } from './free-port.ts'
export { isAlive } from './is-alive.ts'
export { type MariadbServer, startMariadb } from './mariadb-server.ts'
export { type Pgbouncer, type PgbouncerOptions, startPgbouncer } from './pgbouncer-server.ts'
export type { PostgresVersion } from './postgres-engine.ts'
export {
  type PostgresReplica,
  type PostgresServer,
  type PostgresServerOptions,
  providePostgres,
  type SharedPostgres,
  startPostgres,
  startPostgresReplica,
} from './postgres-server.ts'
export { type ProxyOptions, startProxy, type TcpProxy } from './proxy.ts'
export { type RedisCluster, startRedisCluster } from './redis-cluster.ts'
export { type RedisSentinel, startRedisSentinel } from './redis-sentinel.ts'
export { provideRedis, type RedisServer, type RedisServerOptions, type SharedRedis, startRedis } from './redis-server.ts'
export { guard } from './wards.ts'
