-- Question: does this attempt hold a live lease with this fence? Kinds: 'settled'; or 'fail' or 'release', to be done.
--
-- :attempt   who settles
-- :fence     of its lease
-- :backoff   how long everybody is to wait, microseconds; 0 only releases

select
  case
    when owner = :attempt and lease_fence = :fence and lease_in > 0 then iif(:backoff > 0, 'fail', 'release')
    else 'settled'
  end as kind,
  *
from record
