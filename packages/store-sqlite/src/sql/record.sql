-- What every question begins with: the record of a key, an empty one where there is none, with what is left of its deadlines.
--
-- :key  key of the record
-- :now  the time, microseconds since the Unix epoch
--
-- Every question answers one row: these columns, and `kind`. A kind is the answer, or a change to make before asking again.

with record as (
  select
    max(tokenwell.lowest, coalesce(records.lowest, 0)) as lowest,
    coalesce(fence, 0) as fence,
    coalesce(rejected_up_to, 0) as rejected_up_to,
    coalesce(records.version, 0) as version,
    published_by,
    value,
    iif(renew_at - :now > renew_length, 0, renew_at - :now) as renew_in,
    iif(expires_at - :now > expires_length, 0, expires_at - :now) as expires_in,
    iif(quiet_until - :now > quiet_length, 0, quiet_until - :now) as quiet_in,
    owner,
    lease_fence,
    iif(lease_until - :now > lease_length, 0, lease_until - :now) as lease_in,
    coalesce(takeover, 0) as takeover,
    coalesce(failures, 0) as failures,
    failure,
    iif(retry_at - :now > retry_length, 0, retry_at - :now) as retry_in,
    config
  from tokenwell left join records on records.key = :key
)
