-- Question: is this value newer than the stored one? Kinds: 'accepted', 'superseded', 'refused'; or 'accept' or 'release', to be done.
-- That this attempt published the stored value comes first, and changes nothing: the value may have been rejected since.
--
-- :attempt   who publishes
-- :fence     of this publication
-- :basedOn   version the value was derived from; null for none
-- :maxAhead  how far ahead of the clock the fence may be, microseconds; null for any

select
  case
    when published_by = :attempt then 'accepted'
    when version > :basedOn or version >= :fence then iif(owner = :attempt, 'release', 'superseded')
    when :fence - :now > :maxAhead then 'refused'
    else 'accept'
  end as kind,
  *
from record
