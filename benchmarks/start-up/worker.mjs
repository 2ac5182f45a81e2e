// Imports the modules that it is given, one after the other, and prints what that took. No TypeScript: whatever strips types would be in
// the figures, and so would a channel to the parent.

/** @param {NodeJS.CpuUsage} usage */
const milliseconds = ({ user, system }) => (user + system) / 1_000

// Before the processor is looked at: the clock is loaded when it is first used.
const begun = performance.now()
const before = process.cpuUsage()
for (const name of process.argv.slice(2)) await import(name)
const importMs = performance.now() - begun
const importProcessorMs = milliseconds(process.cpuUsage(before))
const { rss: rssBytes } = process.memoryUsage()
for (let times = 0; times < 3; times++) globalThis.gc?.()
const { heapUsed: heapBytes } = process.memoryUsage()
/** @type {import('./measured.ts').Measured} */
const measured = { startProcessorMs: milliseconds(before), importMs, importProcessorMs, heapBytes, rssBytes }
console.log(JSON.stringify(measured))
