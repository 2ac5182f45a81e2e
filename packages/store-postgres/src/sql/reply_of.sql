-- What a record says at one moment, as JSON: its texts and its numbers, each of them an array. A deadline is there as it is stored, with
-- its length: what is left of it, the client works out.
--
-- outcome  of the operation; null for a reading
-- Without a record everything is null but the moment.
--
-- An object of many types takes as long as writing the row. This becomes a part of the expression that calls it.
create or replace function {schema}.reply_of(r {schema}.records, outcome text, moment bigint) returns text language sql stable as $body$
  select '[' || array_to_json(array[outcome, r.value, r.failure])::text || ',' || array_to_json(array[
    moment,
    r.version,
    r.rejected_up_to,
    r.renew_at, r.renew_length,
    r.expires_at, r.expires_length,
    r.lease_until, r.lease_length,
    r.lease_fence,
    r.takeover::integer,
    r.retry_at, r.retry_length,
    r.failures
  ])::text || ']'
$body$
