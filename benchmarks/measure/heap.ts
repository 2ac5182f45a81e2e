/** Bytes of the heap that are in use after a collection. The process must have been started with `--expose-gc`. */
export function heap(): number {
  if (globalThis.gc === undefined) throw new Error('a process whose heap is measured is to be started with --expose-gc')
  for (let times = 0; times < 3; times++) globalThis.gc()
  return process.memoryUsage().heapUsed
}
