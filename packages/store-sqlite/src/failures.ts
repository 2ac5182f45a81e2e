import { dirname } from 'node:path'

/** Result codes of SQLite, the lower eight bits of an error's `errcode`. https://www.sqlite.org/rescode.html */
const BUSY = 5
const LOCKED = 6
const PROTOCOL = 15
const CONSTRAINT = 19

/** Said after SQLite's own words: what it means here, and what to do. */
const ADVICE: Readonly<Record<number, (path: string) => string>> = {
  8: (path) => `the file and its folder must be writable for this process, also for readers: ${path}`,
  10: (path) => `the disk or the file system failed, see its log: ${path}`,
  11: (path) => `the file is damaged: stop its processes, keep a copy, and restore it from a backup or remove it: ${path}`,
  13: (path) => `there is no space left for the file, and nothing was written: ${path}`,
  14: (path) => `it must be a file, or not be there yet, in a folder that this process may write to: ${path}`,
  26: (path) => `the file is something else: give the store a path of its own: ${path}`,
}

/** Whether another connection was in the way, and trying again soon can do. */
export function isBusy(error: unknown): boolean {
  const code = codeOf(error)
  return code === BUSY || code === LOCKED || code === PROTOCOL
}

/** Whether the statement was refused for what it would have written, and the connection is as good as before. */
export function isRefusal(error: unknown): boolean {
  return codeOf(error) === CONSTRAINT
}

/** An error of the driver or the file system, with what to do about it. Neither quotes the values of a statement. */
export function presentable(error: unknown, path: string): Error {
  if (!(error instanceof Error)) return new Error(String(error))
  if ('code' in error && error.code === 'ENOENT') {
    // Where the path is a link, another than its own.
    const missing = 'path' in error && typeof error.path === 'string' ? error.path : path
    return new Error(`the folder does not exist, the store does not make one: ${dirname(missing)}`, { cause: error })
  }
  const code = codeOf(error)
  const advice = code === undefined ? undefined : ADVICE[code]
  return advice === undefined ? error : new Error(`SQLite: ${error.message}; ${advice(path)}`, { cause: error })
}

function codeOf(error: unknown): number | undefined {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' ? error.errcode & 0xff : undefined
}
