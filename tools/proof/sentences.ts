/**
 * What a line of a model claims: the sentence in quotes in the comment above it. The line itself where there is none.
 * @param line counted from 1
 */
export function sentenceAbove(source: string, line: number): string {
  const lines = source.split('\n')
  for (let at = line - 1; at >= Math.max(0, line - 4); at--) {
    const sentence = /"([^"]{12,})"/.exec(lines[at] ?? '')?.[1]
    if (sentence !== undefined && lines[at]?.includes('/*')) return sentence
  }
  return (lines[line - 1] ?? '').trim()
}

/** The line on which a claim about infinite runs is made. 0 when there is none of that name. */
export function lineOfClaim(source: string, claim: string): number {
  return source.split('\n').findIndex((line) => line.startsWith(`ltl ${claim} `)) + 1
}

/** Where the replay of a counterexample ended. */
export function failedAt(replay: string): { readonly file: string; readonly line: number } | undefined {
  const found = /^spin: (\S+):(\d+), Error: assertion violated/m.exec(replay)
  return found === null ? undefined : { file: found[1] ?? '', line: Number(found[2]) }
}
