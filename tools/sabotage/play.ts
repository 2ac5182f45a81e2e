/** Plays the worlds of some seeds, and begins no more once something was wrong in one: `play.ts <seeds> <first>`. @module */
import { availableParallelism } from 'node:os'
import { playAll } from '../simulate/play-all.ts'

Error.stackTraceLimit = 0

const [seeds, first] = process.argv.slice(2).map(Number)
if (seeds === undefined || first === undefined) throw new TypeError('usage: play.ts <seeds> <first>')
const { wrong } = await playAll({ first, seeds, workers: availableParallelism(), bail: true })
for (const { seed, violations } of wrong) console.log(`seed ${seed}: ${violations[0]}`)
process.exit(wrong.length > 0 ? 1 : 0)
