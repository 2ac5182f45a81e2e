// Opens the file that is its first argument, begins a transaction with the second, changes every record in it, and says so. When its
// standard input ends, it takes the change back and ends.
import { once } from 'node:events'
import { DatabaseSync } from 'node:sqlite'

const [, , path = '', begin = ''] = process.argv
const database = new DatabaseSync(path, { timeout: 5_000 })
database.exec(begin)
database.exec("update records set value = 'of a writer that never commits'")
process.stdout.write('locked\n')
process.stdin.resume()
await once(process.stdin, 'end')
database.exec('rollback')
database.close()
