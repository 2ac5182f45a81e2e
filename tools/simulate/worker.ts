import { parentPort } from 'node:worker_threads'
import { tally } from './tally.ts'

// Nobody reads the stacks of errors that are part of the play, and they are a tenth of its cost.
Error.stackTraceLimit = 0

const port = parentPort
if (port === null) throw new Error('worker.ts is started by main.ts')

port.on('message', (seeds: readonly number[]) => {
  void tally(seeds).then((answer) => port.postMessage(answer))
})
