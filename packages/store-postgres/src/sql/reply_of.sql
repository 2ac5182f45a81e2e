-- What a record says at one moment, as JSON.
--
-- outcome  of the operation; null for a reading
-- *_in     microseconds left; 0 or less: nothing. Without a record everything is null but these
create or replace function {schema}.reply_of(r {schema}.records, outcome text, moment bigint) returns json language plpgsql stable as $body$
begin
  return json_build_object(
    'outcome', outcome,
    'version', r.version,
    'value', r.value,
    'renew_in', {schema}.remaining(r.renew_at, r.renew_length, moment),
    'expires_in', {schema}.remaining(r.expires_at, r.expires_length, moment),
    'rejected_up_to', r.rejected_up_to,
    'lease_in', {schema}.remaining(r.lease_until, r.lease_length, moment),
    'lease_fence', r.lease_fence,
    'takeover', r.takeover,
    'failures', r.failures,
    'retry_in', {schema}.remaining(r.retry_at, r.retry_length, moment),
    'failure', r.failure
  );
end $body$
