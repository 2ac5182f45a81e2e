import { times } from './figure.ts'
import { holds, type Recorded, type Table } from './report.ts'
import { ATTEMPTS, BEYOND, ROOM, ROOM_OF_AMOUNTS } from './room.ts'

const HEAD = `# What it costs

Written by \`npm run bench\`; \`npm run bench -- <name>\` measures one of the parts again. Everything that is compared was measured in one run, in
turn, each library in a process of its own and set up as its documentation recommends. Ratios are of what was measured in the same
round; read those, the times are of one machine. Lower is better, but for what is a second.

\`npm run bench -- --gate\` measures ours again, writes nothing, and fails where in each of ${ATTEMPTS} attempts a ratio of times is more than ${ROOM} times the one
recorded here or ${BEYOND} times what it may be at most, or one of bytes or requests more than ${ROOM_OF_AMOUNTS} times the one recorded or anything above its most. One operation
of a store has a room of its own, whatever is recorded. Where ratios differ much from machine to machine or from run to run only what must hold counts, a count in one attempt.
What must hold in fixed milliseconds is of the machine as much as of the code: that is measured here, and not by the gate.
`

/** All that was recorded, as one page. */
export function page(recorded: ReadonlyMap<string, Recorded>): string {
  return [HEAD, ...Array.from(recorded, ([name, report]) => part(name, report))].join('\n')
}

function part(name: string, { title, how, tables, charts, limits, machine, date, code, rounds }: Recorded): string {
  const { processor, cores, memoryGiB, system, node } = machine
  const lines = [
    `## ${title}`,
    '',
    how,
    '',
    `\`npm run bench -- ${name}\`; rounds: ${rounds}; ${date}, ${code}, Node ${node}, ${cores} cores of ${processor}, ${memoryGiB} GiB, ${system}.`,
    '',
    ...charts.flatMap((chart) => [`![${chart.title}](benchmarks/${chart.name}.svg)`, '']),
    ...tables.flatMap((table) => [...rows(table), '']),
  ]
  if (limits.length > 0) {
    const columns = ['what must hold', 'measured', 'at most', '']
    const held = limits.map((limit) => [limit.what, times(limit.ratio), times(limit.most), holds(limit) ? 'holds' : 'MISSED'])
    lines.push(...rows({ title: '', columns, rows: held }), '')
  }
  return lines.join('\n')
}

function rows({ title, columns, rows: cells }: Table): string[] {
  const line = (each: readonly string[]) => `| ${each.join(' | ')} |`
  const rule = columns.map((_, index) => (index === 0 ? '---' : '--:'))
  return [...(title === '' ? [] : [`**${title}**`, '']), line(columns), line(rule), ...cells.map(line)]
}
