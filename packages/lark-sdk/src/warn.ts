/**
 * Warns through `process.emitWarning`, of each thing once: what is wrong with one event is wrong with the next, and events may come from
 * anybody.
 */
export function createWarn(): (code: string, message: string) => void {
  const told = new Set<string>()
  return (code, message) => {
    if (told.has(code)) return
    told.add(code)
    process.emitWarning(message, { type: 'TokenwellWarning', code })
  }
}
