-- Before any change: a record to change.
--
-- :key  key of the record

insert into records (key) values (:key) on conflict (key) do nothing
