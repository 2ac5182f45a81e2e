-- What every operation replies, all of it text: a client may have parsers of its own for other types.
do $body$ begin
  create type {schema}.reply as (
    outcome text,                                    -- of the operation; null for a reading
    version text,                                    -- null, here and below: there is no such thing
    value text,
    renew_in text,                                   -- microseconds left, here and below
    expires_in text,
    rejected_up_to text,
    lease_in text,                                   -- 0 or less: no live lease
    lease_fence text,
    takeover text,
    failures text,                                   -- null: no backoff
    retry_in text,
    failure text
  );
exception when duplicate_object then null;
end $body$
