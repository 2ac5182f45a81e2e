-- The columns of every reply, all of them text: a client may have parsers of its own for other types.
--
-- In     r, a row; record, what it says
  r.outcome,
  record.version::text as version,
  r.value,
  record.renew_in::text as renew_in,        -- microseconds left, here and below
  record.expires_in::text as expires_in,
  record.rejected_up_to::text as rejected_up_to,
  record.lease_in::text as lease_in,        -- 0 or less: no live lease
  r.lease_fence::text as lease_fence,
  r.takeover::text as takeover,
  r.failures::text as failures,             -- null: no backoff
  record.retry_in::text as retry_in,
  r.failure
