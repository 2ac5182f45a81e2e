/** What one fault cost. Durations in milliseconds. */
export interface FaultRow {
  readonly fault: string
  readonly rotations: number
  readonly callers: number
  /** Callers who were not served at once. */
  readonly waited: number
  /** The longest `get()`. */
  readonly longestMs: number
  /** Requests to the upstream beyond one for each rotation and one for the first token. */
  readonly extraRequests: number
  /** From the end of the fault until the last process served the new token; the longest of all rotations. */
  readonly recoveryMs: number
}

/** Rows for people; no test depends on them. */
export class FaultTable {
  readonly #title: string
  readonly #rows: FaultRow[] = []

  constructor(title: string) {
    this.#title = title
  }

  add(row: FaultRow): void {
    this.#rows.push(row)
  }

  print(): void {
    const head = ['fault', 'rotations', 'callers', 'waited', 'longest get, ms', 'extra requests', 'recovered after, ms']
    const lines = this.#rows.map(({ fault, rotations, callers, waited, longestMs, extraRequests, recoveryMs }) =>
      [fault, rotations, callers, waited, longestMs.toFixed(1), extraRequests, recoveryMs.toFixed(0)].map(String),
    )
    const widths = head.map((name, column) => Math.max(...[[...head], ...lines].map((line) => line[column]?.length ?? name.length)))
    const pad = (line: readonly string[]) =>
      line.map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0))).join('  ')
    console.info([this.#title, pad(head), ...lines.map(pad)].join('\n'))
  }
}
