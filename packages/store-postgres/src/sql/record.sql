-- What a record says at one moment: the beginning of every decision and of every reply.
--
-- In     r, a row of the table or a row of nulls; {clock}, a relation with the one column `now`
-- Out    one row, without nulls but in what may be absent
--
-- `offset 0`, here and in decisions, keeps the planner from writing out an expression in full wherever its name is used, which takes
-- longer than all the rest.
--
-- Times are microseconds since 1970. A deadline is kept with its length: nothing is left of one that is further away than that, because
-- the clock went back.
select
  clock.now,
  coalesce(r.fence, 0) as fence,
  coalesce(r.version, 0) as version,
  coalesce(r.rejected_up_to, 0) as rejected_up_to,
  coalesce(case when r.renew_at - clock.now <= r.renew_length then r.renew_at - clock.now end, 0) as renew_in,
  coalesce(case when r.expires_at - clock.now <= r.expires_length then r.expires_at - clock.now end, 0) as expires_in,
  coalesce(case when r.quiet_until - clock.now <= r.quiet_length then r.quiet_until - clock.now end, 0) as quiet_in,
  coalesce(case when r.lease_until - clock.now <= r.lease_length then r.lease_until - clock.now end, 0) as lease_in,
  coalesce(case when r.retry_at - clock.now <= r.retry_length then r.retry_at - clock.now end, 0) as retry_in
from {clock} as clock
offset 0
