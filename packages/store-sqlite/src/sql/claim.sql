-- Question: may this attempt have the lease? Kinds: 'granted', 'fresh', 'backoff', 'held'; or 'grant', to be done.
--
-- :attempt   who claims
-- :seen      highest version the caller has seen
-- :rejected  highest version the caller knows to be rejected
-- :config    digest of the caller's configuration; null for none

select
  case
    when lease_in > 0 and owner = :attempt then 'granted'
    when renew_in > 0 and version >= :seen and version > max(rejected_up_to, :rejected) then 'fresh'
    when retry_in > 0 and (config is null or :config is null or config = :config) then 'backoff'
    when lease_in > 0 then 'held'
    else 'grant'
  end as kind,
  *
from record
