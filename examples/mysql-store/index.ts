export { type MysqlStoreOptions, mysqlStore } from './mysql-store.ts'
export { createSchema } from './schema.ts'
