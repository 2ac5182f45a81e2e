-- After any change: forgets some records that were over for 90 days. They held fences and rejections, and maybe the secret that renews.
-- A change adds one record at most and this takes away several, so those that are over never pile up.
--
-- :now  as in record.sql

delete from records
where key in (
  select key from records where over_at < :now - 90 * 86400000000 order by over_at limit 10
)
