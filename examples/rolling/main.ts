/** `npm start`: exits with 1 if something was not as it should be. */
import { report } from './figures.ts'
import { roll } from './roll.ts'

const figures = await roll()
console.log(`Four processes under load on Redis, replaced one by one:\n\n${report(figures)}`)
const { failed, extra, takeovers, leasesLeft, exits } = figures
process.exitCode = failed.length + extra.length + takeovers + leasesLeft === 0 && exits.every((exit) => exit === 0) ? 0 : 1
