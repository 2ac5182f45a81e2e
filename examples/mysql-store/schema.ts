import type { Pool } from 'mysql2/promise'

/**
 * One row a key. Text is kept as the bytes of its UTF-8, so that no collation has a say in what is equal: to `utf8mb4_bin` 'a' and 'a '
 * are the same. A key is longer than what InnoDB can index, so a row is found by the key's SHA-256. Moments are microseconds since the
 * Unix epoch, each with its length beside it; 0 for none. A lease with an `owner` was not released.
 */
const TABLE = `create table if not exists tokenwell (
  id binary(32) not null primary key,
  name blob not null,
  fence bigint not null default 0,
  version bigint not null default 0,
  published_by blob,
  value mediumblob,
  renew_at bigint not null default 0,
  renew_length bigint not null default 0,
  expires_at bigint not null default 0,
  expires_length bigint not null default 0,
  rejected_up_to bigint not null default 0,
  quiet_until bigint not null default 0,
  quiet_length bigint not null default 0,
  owner blob,
  lease_fence bigint not null default 0,
  lease_until bigint not null default 0,
  lease_length bigint not null default 0,
  takeover boolean not null default false,
  retry_at bigint not null default 0,
  retry_length bigint not null default 0,
  failure mediumblob,
  failures bigint not null default 0,
  config blob
) engine = InnoDB`

/** What a snapshot is made of. */
const SNAPSHOT = `id, version, value, renew_at, renew_length, expires_at, expires_length, rejected_up_to,
  owner is not null as leased, lease_until, lease_length, retry_at, retry_length, failure, failures`

/** The database's clock. Not in the time zone of the session, in which an hour may come twice. */
const CLOCK = `timestampdiff(microsecond, '1970-01-01', utc_timestamp(6))`

/** Whether a moment lies ahead. One that lies further ahead than its length has passed: the clock was set back since. */
const ahead = (moment: string, length: string) => `(${moment} > clock and ${moment} - ${length} <= clock)`

const LEASE_LIVES = ahead('lease_until', 'lease_length')

const THIS = 'where id = p_id'

/**
 * A transaction over one record, in a procedure: one that the client conducts would hold its lock as long as the client is frozen.
 *
 * The row is made where there is none, by the one statement that takes an exclusive lock either way. `insert ignore` takes a shared one,
 * and `select … for update` of no row one on the gap; over either of them two newcomers deadlock.
 *
 * The clock is read by a statement of its own once the row is locked. `utc_timestamp` stands still during a statement, so that of the
 * insert lies before the wait for the lock, and before what others have written meanwhile.
 */
const onRecord = (operation: string, parameters: string, body: string) => `
create procedure if not exists tokenwell_${operation}(p_id binary(32), p_name blob, ${parameters})
  modifies sql data
begin
  declare clock bigint;
  declare kind varchar(10);
  declare next_fence bigint;
  declare exit handler for sqlexception begin rollback; resignal; end;

  start transaction;
  insert into tokenwell (id, name) values (p_id, p_name) on duplicate key update id = p_id;
  set clock = ${CLOCK};
  ${body}
  select clock, kind, lease_fence, takeover, ${SNAPSHOT} from tokenwell ${THIS};
  commit;
end`

const CLAIM = onRecord(
  'claim',
  'p_attempt blob, p_lease bigint, p_seen bigint, p_rejected bigint, p_config blob',
  `select
    case
      when owner = p_attempt and ${LEASE_LIVES} then 'granted'
      when ${ahead('renew_at', 'renew_length')} and version >= p_seen and version > greatest(rejected_up_to, p_rejected) then 'fresh'
      when ${ahead('retry_at', 'retry_length')} and coalesce(config = p_config, true) then 'backoff'
      when owner is not null and ${LEASE_LIVES} then 'held'
      else 'free'
    end,
    greatest(greatest(fence, p_seen, p_rejected) + 1, clock)
    into kind, next_fence from tokenwell ${THIS} for update;
  if kind = 'free' and next_fence > ${Number.MAX_SAFE_INTEGER} then
    signal sqlstate '22003';
  end if;
  if kind = 'free' then
    update tokenwell set
      fence = next_fence, lease_fence = next_fence, lease_until = clock + p_lease, lease_length = p_lease,
      takeover = owner is not null, owner = p_attempt
      ${THIS};
    set kind = 'granted';
  end if;`,
)

const PUBLISH = onRecord(
  'publish',
  `p_attempt blob, p_fence bigint, p_value mediumblob, p_renew bigint, p_expires bigint,
  p_based_on bigint, p_quiet bigint, p_max_ahead bigint`,
  `select
    case
      when version > 0 and published_by = p_attempt then 'repeated'
      when version > p_based_on then 'superseded'
      when p_fence <= version then 'superseded'
      when p_fence - clock > p_max_ahead then 'refused'
      else 'accepted'
    end
    into kind from tokenwell ${THIS} for update;
  if kind = 'accepted' then
    update tokenwell set
      version = p_fence, published_by = p_attempt, value = p_value, fence = greatest(fence, p_fence),
      renew_at = least(clock, p_fence) + p_renew, renew_length = p_renew,
      expires_at = least(clock, p_fence) + p_expires, expires_length = p_expires,
      quiet_until = clock + p_quiet, quiet_length = p_quiet,
      retry_at = 0, retry_length = 0, failure = null, failures = 0, config = null
      ${THIS};
  end if;
  if kind in ('accepted', 'superseded') then
    update tokenwell set owner = null ${THIS} and owner = p_attempt;
  end if;
  if kind = 'repeated' then
    set kind = 'accepted';
  end if;`,
)

const SETTLE = onRecord(
  'settle',
  'p_attempt blob, p_fence bigint, p_backoff bigint, p_failure mediumblob, p_config blob',
  `if exists(select 1 from tokenwell ${THIS} and owner = p_attempt and lease_fence = p_fence and ${LEASE_LIVES} for update) then
    update tokenwell set owner = null ${THIS};
    if p_backoff > 0 then
      update tokenwell set
        retry_at = clock + p_backoff, retry_length = p_backoff, failure = p_failure, failures = failures + 1, config = p_config
        ${THIS};
    end if;
  end if;`,
)

const INVALIDATE = onRecord(
  'invalidate',
  'p_version bigint',
  `update tokenwell set rejected_up_to = greatest(p_version, fence), fence = greatest(p_version, fence)
    ${THIS} and p_version >= version and p_version > rejected_up_to
    and not (p_version = version and ${ahead('quiet_until', 'quiet_length')});`,
)

/**
 * The rows of the ids in a JSON array of hexadecimal strings, then the clock: in this order, because a clock that was read first could lie
 * before what has been written into the rows meanwhile. Never waits: InnoDB reads what was committed.
 */
const READ = `
create procedure if not exists tokenwell_read(p_ids mediumtext)
  reads sql data
begin
  start transaction read only;
  select ${SNAPSHOT} from json_table(p_ids, '$[*]' columns (hex char(64) path '$')) as asked
    straight_join tokenwell on tokenwell.id = unhex(asked.hex);
  select ${CLOCK} as clock;
  commit;
end`

/**
 * Makes the table and the procedures in the pool's database, where they are not there yet. Needs the privileges CREATE and CREATE ROUTINE;
 * the store itself needs no more than EXECUTE.
 */
export async function createSchema(pool: Pool): Promise<void> {
  for (const statement of [TABLE, CLAIM, PUBLISH, SETTLE, INVALIDATE, READ]) await pool.query(statement)
}
