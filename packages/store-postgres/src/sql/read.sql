-- What the records of these keys say, one row for each, in that order.
create or replace function {schema}.read(keys text[]) returns setof {schema}.reply language plpgsql stable as $body$
declare
  moment bigint := {schema}.clock();
  wanted text;
  r {schema}.records;
begin
  foreach wanted in array keys loop
    select s.* into r from {schema}.records as s where s.id = sha256(convert_to(wanted, 'UTF8'));
    return next {schema}.reply_of(r, null, moment);
  end loop;
end $body$
