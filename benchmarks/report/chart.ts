import { figure } from './figure.ts'
import type { Chart } from './report.ts'

const WIDTH = 760
const NAMES = 250
const ROW = 26
const TOP = 44
const FIGURES = 90

/** A chart as SVG that can be read on a light and on a dark page. */
export function svg({ title, unit, bars }: Chart): string {
  const values = bars.map(({ value }) => value)
  const least = 10 ** Math.floor(Math.log10(Math.min(...values)))
  const most = Math.max(...values)
  const width = (value: number) => ((WIDTH - NAMES - FIGURES) * Math.log10(value / least)) / Math.log10(most / least || 10)
  const rows = bars.map(({ name, value, isOurs }, index) => {
    const y = TOP + index * ROW
    const w = Math.max(2, width(value)).toFixed(1)
    return [
      `  <text x="${NAMES - 8}" y="${y + 14}" text-anchor="end">${escaped(name)}</text>`,
      `  <rect x="${NAMES}" y="${y}" width="${w}" height="18" rx="2" fill="${isOurs ? '#0a7d5a' : '#8a94a6'}"/>`,
      `  <text x="${(NAMES + Number(w) + 6).toFixed(1)}" y="${y + 14}">${figure(value)}</text>`,
    ].join('\n')
  })
  const height = TOP + bars.length * ROW + 8
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escaped(title)}">
  <style>text { font: 13px system-ui, sans-serif; fill: #6b7280 } .title { font-weight: 600; font-size: 14px }</style>
  <text class="title" x="8" y="22">${escaped(title)} (${escaped(unit)}, logarithmic)</text>
${rows.join('\n')}
</svg>
`
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}
