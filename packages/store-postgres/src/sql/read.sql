-- What the records of these keys say: an array, in that order.
create or replace function {schema}.read(keys text[]) returns text language plpgsql stable set enable_seqscan to off as $body$
#variable_conflict use_variable
declare
  moment bigint := {schema}.clock();
  wanted text;
  r {schema}.records;
  replies text[] := '{}';
begin
  foreach wanted in array keys loop
    select s.* into r from {schema}.records as s where s.id = sha256(convert_to(wanted, 'UTF8'));
    replies := replies || {schema}.reply_of(r, null::text, moment);
  end loop;
  return '[' || array_to_string(replies, ',') || ']';
end $body$
