-- One row for each key. The key itself can be longer than an index takes, so the row is found by its digest.
--
-- No index holds a column that changes, and pages keep room, so that an update stays on its page and leaves nothing for indexes to
-- clean up.
create table if not exists {schema}.records (
  id bytea primary key,                              -- sha256(convert_to(key, 'UTF8'))
  key text not null,
  fence bigint not null default 0,                   -- the highest granted, published or rejected
  version bigint not null default 0,                 -- what is published: its fence, its attempt, etc.; 0: nothing was ever
  rejected_up_to bigint not null default 0,
  published_by text,
  value text,
  renew_at bigint, renew_length bigint,              -- deadlines: microseconds since 1970, and how far ahead that was when it was set
  expires_at bigint, expires_length bigint,
  quiet_until bigint, quiet_length bigint,
  owner text,                                        -- the lease; stays when it ran out, until it is released or taken over
  lease_fence bigint,
  lease_until bigint, lease_length bigint,
  takeover boolean,
  retry_at bigint, retry_length bigint,              -- the backoff; stays until the next accepted publication
  failure text,
  failures integer,
  config text,
  changed_at bigint not null
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.2)
