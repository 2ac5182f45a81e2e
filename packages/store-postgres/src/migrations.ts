import { isName, type Names, names } from './names.ts'
import { fill, type Sources, sources } from './sources.ts'

export interface Migration {
  /** 1, 2, 3, … without a gap. */
  readonly id: number
  /**
   * The lowest id that a program must know to work with the tables from then on: yesterday's program is still running, or runs again
   * after a deploy was taken back.
   */
  readonly lowest: number
  /** Statements with `{schema}`, each harmless twice. */
  readonly sources: readonly string[]
}

export const migrations: readonly Migration[] = migrationsOf(sources)

/** The migrations with these sources. An argument, so that a test can take a rule out of one. */
export function migrationsOf(sources: Sources): readonly Migration[] {
  return [{ id: 1, lowest: 1, sources: Object.values(sources) }]
}

export const createSchema = ({ schema }: Names): string => `create schema if not exists ${schema}`

export const createMigrations = ({ schema }: Names): string =>
  `create table if not exists ${schema}.migrations (
  id integer primary key,
  lowest integer not null,
  applied_at timestamptz not null default clock_timestamp()
)`

/** Claims a migration: whoever does it at the same time waits here, and then fails. */
export const claimMigration = ({ schema }: Names, { id, lowest }: Migration): string =>
  `insert into ${schema}.migrations (id, lowest) values (${id}, ${lowest})`

/**
 * Everything that makes the tables and functions, as text for `psql` or for a migration tool of your own. Harmless twice.
 *
 * `schema` is as for `postgresStore`. Default `tokenwell`.
 *
 * @throws TypeError for a schema that is no name.
 */
export function migrationSql({ schema = 'tokenwell' }: { readonly schema?: string } = {}): string {
  if (!isName(schema)) throw new TypeError(`schema: expected a name of 1 to 63 bytes, got ${JSON.stringify(schema)}`)
  const own = names(schema)
  // Claimed last: whoever runs them one by one may stop anywhere, or a node start in between.
  const applied = migrations.flatMap((each) => [
    ...each.sources.map((source) => fill(source, own)),
    `${claimMigration(own, each)} on conflict do nothing`,
  ])
  return [createSchema(own), createMigrations(own), ...applied].map((statement) => `${statement};\n`).join('\n')
}
