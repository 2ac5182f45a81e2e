import type { Mutation } from '../mutation.ts'

const SCRIPTS = 'packages/store-redis/src/scripts'
const onRedis = {
  unit: ['packages/store-redis/test/redis-store.test.ts'],
  conformance: ['packages/store-redis/test/conformance.test.ts'],
} as const

/** In the scripts that run inside Redis. */
export const redis: readonly Mutation[] = [
  {
    ...onRedis,
    name: 'redis-fence-not-compared',
    file: `${SCRIPTS}/publish.lua`,
    find: ' or published <= version then',
    replace: ' then',
    breaks: 'A late publication replaces a newer one.',
  },
  {
    ...onRedis,
    name: 'redis-publication-not-idempotent',
    file: `${SCRIPTS}/publish.lua`,
    find: 'if record.publishedBy == attempt then',
    replace: 'if false then',
    breaks: 'A publication that is delivered again is not known for the one that was accepted.',
  },
  {
    ...onRedis,
    name: 'redis-times-from-the-arrival',
    file: `${SCRIPTS}/publish.lua`,
    find: 'local from = math.min(now, published)',
    replace: 'local from = now',
    breaks: 'Time in a queue lengthens the life of a token.',
  },
  {
    ...onRedis,
    name: 'redis-publication-not-announced',
    file: `${SCRIPTS}/record.lua`,
    find: "redis.pcall('PUBLISH', channel, (record.version or '0') .. ' ' .. KEYS[1])",
    replace: '',
    breaks: 'Nobody hears of what has changed.',
  },
  {
    ...onRedis,
    name: 'redis-settled-without-live-lease',
    file: `${SCRIPTS}/settle.lua`,
    find: ' and isAhead(record.leaseUntil)',
    replace: '',
    breaks: 'A settlement that arrives an hour late makes everybody wait.',
  },
  {
    ...onRedis,
    name: 'redis-settled-without-owner',
    file: `${SCRIPTS}/settle.lua`,
    find: 'local holds = record.owner == attempt and ',
    replace: 'local holds = ',
    breaks: "An attempt that was never granted the lease ends another's.",
  },
  {
    ...onRedis,
    name: 'redis-fence-is-a-counter',
    file: `${SCRIPTS}/claim.lua`,
    find: 'math.max(math.max(fence, seen, rejected) + 1, now)',
    replace: 'math.max(fence, seen, rejected) + 1',
    breaks: 'After a loss of data the newer holder gets the lower fence.',
  },
  {
    ...onRedis,
    name: 'redis-fence-is-the-clock',
    file: `${SCRIPTS}/claim.lua`,
    find: 'math.max(math.max(fence, seen, rejected) + 1, now)',
    replace: 'now',
    breaks: 'A claimer is granted a fence below what it has seen.',
  },
  {
    ...onRedis,
    name: 'redis-far-deadline-believed',
    file: `${SCRIPTS}/record.lua`,
    find: 'if ahead > tonumber(length) then return 0 end',
    replace: '',
    breaks: 'A clock that stepped back makes everybody wait.',
  },
  {
    ...onRedis,
    name: 'redis-digits-lost',
    file: `${SCRIPTS}/record.lua`,
    find: "return string.format('%.0f', number)",
    replace: "return '' .. number",
    breaks: 'Lua writes 14 digits of a fence that has 16.',
  },
  {
    ...onRedis,
    name: 'redis-record-never-forgotten',
    file: `${SCRIPTS}/record.lua`,
    find: "redis.call('PEXPIRE', KEYS[1], digits(math.ceil(life / 1000) + KEPT_MS))",
    replace: '',
    breaks: 'Records pile up in the server for ever.',
  },
  {
    ...onRedis,
    name: 'redis-record-forgotten-too-soon',
    file: `${SCRIPTS}/record.lua`,
    find: 'digits(math.ceil(life / 1000) + KEPT_MS)',
    replace: 'digits(math.max(math.ceil(life / 1000), 1))',
    breaks: 'Fences, rejections and the secret that renews a login are gone when the token ends.',
  },
]

const SQL = 'packages/store-postgres/src/sql'
const onPostgres = {
  conformance: ['packages/store-postgres/test/conformance.test.ts'],
} as const

/** In the functions of the Postgres store. */
export const postgres: readonly Mutation[] = [
  {
    ...onPostgres,
    name: 'postgres-fence-not-compared',
    file: `${SQL}/publish.sql`,
    find: 'when r.version > based_on or fence <= r.version then',
    replace: 'when r.version > based_on then',
    breaks: 'A late publication replaces a newer one.',
  },
  {
    ...onPostgres,
    name: 'postgres-publication-not-idempotent',
    file: `${SQL}/publish.sql`,
    find: "when r.published_by = attempt then 'repeated'",
    replace: "when false then 'repeated'",
    breaks: 'A publication that is delivered again is not known for the one that was accepted.',
  },
  {
    ...onPostgres,
    name: 'postgres-lease-not-released',
    file: `${SQL}/publish.sql`,
    find: "releases := outcome in ('accepted', 'superseded')",
    replace: "releases := outcome in ('superseded')",
    breaks: 'The lease stays after its publication.',
  },
  {
    ...onPostgres,
    name: 'postgres-change-not-announced',
    file: `${SQL}/publish.sql`,
    find: "perform pg_notify({channel}, r.version || ' ' || r.key);",
    replace: 'null;',
    breaks: 'Nobody hears of what has changed.',
  },
  {
    ...onPostgres,
    name: 'postgres-seen-ignored',
    file: `${SQL}/claim.sql`,
    find: 'and r.version >= seen',
    replace: '',
    breaks: 'What is older than what the claimer has served is called fresh.',
  },
  {
    ...onPostgres,
    name: 'postgres-rejected-up-to-the-version',
    file: `${SQL}/invalidate.sql`,
    find: 'rejected := greatest(version, r.fence);',
    replace: 'rejected := version;',
    breaks: 'A fetch in flight brings the dead value back under a new version.',
  },
  {
    ...onPostgres,
    name: 'postgres-settled-without-live-lease',
    file: `${SQL}/settle.sql`,
    find: ' and {schema}.remaining(r.lease_until, r.lease_length, moment) > 0 then',
    replace: ' then',
    breaks: 'A settlement that arrives an hour late makes everybody wait.',
  },
  {
    name: 'postgres-clock-of-the-transaction',
    file: `${SQL}/clock.sql`,
    find: 'clock_timestamp()',
    replace: 'now()',
    breaks: 'A claim that waited for the lock goes by the time before the wait.',
    unit: ['packages/store-postgres/test/concurrency.test.ts'],
    conformance: ['packages/store-postgres/test/conformance.test.ts'],
  },
  {
    ...onPostgres,
    name: 'postgres-granted-without-the-lock',
    file: `${SQL}/claim.sql`,
    find: ' for update;',
    replace: ';',
    breaks: 'Two who claim at once are both granted the lease.',
    unit: ['packages/store-postgres/test/concurrency.test.ts'],
  },
  {
    ...onPostgres,
    name: 'postgres-new-row-written-over',
    file: `${SQL}/claim.sql`,
    find: 'where r.id is not null',
    replace: 'where true',
    breaks: 'Of two who claim a new key at once, both are granted the lease.',
    unit: ['packages/store-postgres/test/concurrency.test.ts'],
  },
]

const STATEMENTS = 'packages/store-sqlite/src/sql'
const onSqlite = {
  conformance: ['packages/store-sqlite/test/conformance.test.ts'],
} as const

/** In the statements of the SQLite store. */
export const sqlite: readonly Mutation[] = [
  {
    ...onSqlite,
    name: 'sqlite-fence-not-compared',
    file: `${STATEMENTS}/publish.sql`,
    find: 'when version > :basedOn or version >= :fence then',
    replace: 'when version > :basedOn then',
    breaks: 'A late publication replaces a newer one.',
  },
  {
    ...onSqlite,
    name: 'sqlite-times-from-the-arrival',
    file: `${STATEMENTS}/accept.sql`,
    find: 'expires_at = min(:now, :fence) + :expiresIn,',
    replace: 'expires_at = :now + :expiresIn,',
    breaks: 'Time in a queue lengthens the life of a token.',
  },
  {
    ...onSqlite,
    name: 'sqlite-takeover-not-told',
    file: `${STATEMENTS}/grant.sql`,
    find: 'takeover = owner is not null',
    replace: 'takeover = 0',
    breaks: 'Nobody is told that the last holder vanished.',
  },
  {
    ...onSqlite,
    name: 'sqlite-quiet-ignored',
    file: `${STATEMENTS}/invalidate.sql`,
    find: 'when :version = version and quiet_in > 0 then',
    replace: 'when :version = version and quiet_in > 0 and false then',
    breaks: 'What the upstream has just vouched for is rejected again.',
  },
  {
    ...onSqlite,
    name: 'sqlite-failures-not-counted',
    file: `${STATEMENTS}/fail.sql`,
    find: 'failures = failures + 1,',
    replace: 'failures = 1,',
    breaks: 'The wait after failures does not grow.',
  },
  {
    ...onSqlite,
    name: 'sqlite-backoff-kept',
    file: `${STATEMENTS}/accept.sql`,
    find: 'retry_at = null,',
    replace: 'retry_at = retry_at,',
    breaks: 'Everybody waits out a failure after somebody has succeeded.',
  },
  {
    ...onSqlite,
    name: 'sqlite-far-deadline-believed',
    file: `${STATEMENTS}/record.sql`,
    find: 'iif(retry_at - :now > retry_length, 0, retry_at - :now) as retry_in',
    replace: 'retry_at - :now as retry_in',
    breaks: 'A clock that stepped back makes everybody wait.',
  },
]
