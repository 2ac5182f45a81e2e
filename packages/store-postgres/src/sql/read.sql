-- What the records say, one row for each key asked for, in that order.
--
-- $1     keys
-- Reply  as every statement's; the outcome is null or that of the last writing operation
select
  {reply}
from unnest($1::text[]) with ordinality as asked (key, place)
left join {schema}.records as r on r.id = sha256(convert_to(asked.key, 'UTF8'))
cross join lateral ({record}) as record
order by asked.place
