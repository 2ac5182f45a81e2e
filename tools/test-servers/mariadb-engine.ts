import { installPackages, type Machine, thisMachine } from './machine.ts'

/** Programs of one MariaDB. */
export interface MariadbEngine {
  readonly mariadbd: string
  /** Lays out a data folder. A script, which calls `my_print_defaults`. */
  readonly installDb: string
}

/** Where Debian and Ubuntu put the server, which is not on the PATH of every user there. */
const DEBIAN_FOLDERS = ['/usr/sbin']

/** The programs without their service: nothing starts by itself when they are installed. */
const DEBIAN_PACKAGES = ['mariadb-server-core', 'mariadb-client-core']

/** A server on the PATH, else what Debian and Ubuntu have, else the sentence that says what to do. */
export function provideMariadbEngine(machine: Machine = thisMachine): MariadbEngine {
  const found = () => {
    const mariadbd = machine.find('mariadbd', DEBIAN_FOLDERS)
    const installDb = machine.find('mariadb-install-db')
    const isWhole = machine.find('my_print_defaults') !== undefined
    return mariadbd && installDb && isWhole ? { mariadbd, installDb } : undefined
  }
  const engine = found() ?? (installPackages(DEBIAN_PACKAGES, machine) ? found() : undefined)
  if (engine !== undefined) return engine
  throw new Error(
    'The tests need a MariaDB: install version 10.6 or later so that mariadbd, mariadb-install-db and my_print_defaults are on the PATH.',
  )
}
