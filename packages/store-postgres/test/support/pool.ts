import { Pool, type PoolConfig } from 'pg'

/** A pool that does not mind when its server ends. */
export function connect(url: string, options: PoolConfig = {}): Pool {
  return new Pool({ connectionString: url, ...options }).on('error', () => {})
}
