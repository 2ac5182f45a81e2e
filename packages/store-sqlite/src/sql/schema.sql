-- Version 1 of the schema: what an empty file is given.
--
-- Times are microseconds since the Unix epoch. A deadline is two columns, when it is and how far ahead that was when it was set: nothing is
-- left of one that is further away than that, because the clock went back.

-- One row: the version of the schema, and the lowest version that code must know to use it. A later version replaces both.
create table tokenwell (
  version integer not null,
  lowest  integer not null
) strict;

insert into tokenwell (version, lowest) values (1, 1);

create table records (
  key            text primary key not null,
  lowest         integer not null default 1,  -- the lowest version of the schema that code must know to use this record
  written_at     integer not null default 0,

  -- The highest fence granted, published or rejected, and the version up to which every one is rejected.
  fence          integer not null default 0 constraint "a fence is a safe integer" check (fence between 0 and 9007199254740991),
  rejected_up_to integer not null default 0,

  -- What is published; version 0 for nothing. The version is the fence it was published with.
  version        integer not null default 0,
  published_by   text,                        -- attempt
  value          text,
  renew_at       integer,
  renew_length   integer,
  expires_at     integer,
  expires_length integer,
  quiet_until    integer,                     -- until then the upstream has vouched for the value
  quiet_length   integer,

  -- The lease; stays when it ran out, until it is released or taken over.
  owner          text,                        -- attempt
  lease_fence    integer,
  lease_until    integer,
  lease_length   integer,
  takeover       integer,                     -- 1: the lease before it ran out unreleased

  -- The backoff; stays until the next accepted publication, because it carries the count.
  failures       integer not null default 0,
  failure        text,
  retry_at       integer,
  retry_length   integer,
  config         text,                        -- digest of the configuration that failed

  -- When everything in the record was over and nobody had written it any more.
  over_at        integer generated always as (
    max(written_at, coalesce(expires_at, 0), coalesce(lease_until, 0), coalesce(retry_at, 0))
  ) virtual
) strict;

create index records_by_over_at on records (over_at);
