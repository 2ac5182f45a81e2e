export { migrationSql } from './migrations.ts'
export type {
  PostgresClient,
  PostgresConnection,
  PostgresPool,
  PostgresPoolClient,
  PostgresQuery,
  PostgresResult,
} from './pool.ts'
export { type PostgresStoreOptions, postgresStore } from './postgres-store.ts'
