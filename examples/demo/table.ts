/** Rows as text. The first `left` columns are words and begin at the left, the others are numbers and end at the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[], left = 1): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)))
  const cell = (text: string, column: number) => (column < left ? text.padEnd(widths[column] ?? 0) : text.padStart(widths[column] ?? 0))
  const line = (cells: readonly string[]) => `  ${cells.map(cell).join('   ')}`.trimEnd()
  return ['', line(head), line(widths.map((width) => '─'.repeat(width))), ...rows.map(line), ''].join('\n')
}

/** A duration of milliseconds, for people. */
export function duration(ms: number): string {
  if (ms >= 1_000) return `${(ms / 1_000).toFixed(1)} s`
  return ms >= 1 ? `${ms.toFixed(0)} ms` : `${(ms * 1_000).toFixed(0)} µs`
}

/** A number, for people. */
export function count(number: number): string {
  return number.toLocaleString('en')
}
