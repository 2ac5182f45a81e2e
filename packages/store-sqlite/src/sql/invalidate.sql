-- Question: is this version rejected, or safe from it? Kinds: 'invalidated'; or 'reject', to be done.
--
-- :version   to be rejected

select
  case
    when :version < version then 'invalidated'
    when :version = version and quiet_in > 0 then 'invalidated'
    when :version <= rejected_up_to then 'invalidated'
    else 'reject'
  end as kind,
  *
from record
