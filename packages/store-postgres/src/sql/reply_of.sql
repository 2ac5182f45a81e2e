-- What a record says at one moment.
create or replace function {schema}.reply_of(r {schema}.records, outcome text, moment bigint)
returns {schema}.reply language plpgsql stable as $body$
begin
  return (
    outcome,
    r.version,
    r.value,
    {schema}.remaining(r.renew_at, r.renew_length, moment),
    {schema}.remaining(r.expires_at, r.expires_length, moment),
    r.rejected_up_to,
    {schema}.remaining(r.lease_until, r.lease_length, moment),
    r.lease_fence,
    r.takeover,
    r.failures,
    {schema}.remaining(r.retry_at, r.retry_length, moment),
    r.failure
  )::{schema}.reply;
end $body$
