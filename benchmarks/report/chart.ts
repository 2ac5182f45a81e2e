import { figure } from './figure.ts'
import type { Chart } from './report.ts'

/** Of the longest bar, and of the figure beside it. */
const BARS = 420
const FIGURES = 90
/** Of a character of a name at most, in the fonts of most systems. */
const CHARACTER = 7.5
const ROW = 26
const TOP = 62

/** A chart as SVG that can be read on a light and on a dark page. */
export function svg({ title, unit, bars }: Chart): string {
  const values = bars.map(({ value }) => value)
  const names = Math.ceil(Math.max(...bars.map(({ name }) => name.length)) * CHARACTER) + 16
  // The shortest bar is to be seen as one.
  const least = 10 ** Math.floor(Math.log10(Math.min(...values)) - 0.1)
  const most = Math.max(...values)
  const x = (value: number) => names + (BARS * Math.log10(value / least)) / Math.log10(most / least || 10)
  const height = TOP + bars.length * ROW + 8
  const ticks = Array.from({ length: Math.floor(Math.log10(most / least)) + 1 }, (_, decade) => {
    const value = least * 10 ** decade
    const at = x(value).toFixed(1)
    return [
      `  <line x1="${at}" y1="${TOP - 8}" x2="${at}" y2="${height - 8}" stroke="#8a94a6" stroke-opacity="0.35"/>`,
      `  <text class="tick" x="${at}" y="${TOP - 14}" text-anchor="middle">${figure(value)}</text>`,
    ].join('\n')
  })
  const rows = bars.map(({ name, value, isOurs }, index) => {
    const y = TOP + index * ROW
    const w = Math.max(2, x(value) - names).toFixed(1)
    return [
      `  <text x="${names - 8}" y="${y + 14}" text-anchor="end">${escaped(name)}</text>`,
      `  <rect x="${names}" y="${y}" width="${w}" height="18" rx="2" fill="${isOurs ? '#0a7d5a' : '#8a94a6'}"/>`,
      `  <text x="${(names + Number(w) + 6).toFixed(1)}" y="${y + 14}">${figure(value)}</text>`,
    ].join('\n')
  })
  const width = names + BARS + FIGURES
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escaped(title)}">
  <style>text { font: 13px system-ui, sans-serif; fill: #6b7280 } .title { font-weight: 600; font-size: 14px } .tick { font-size: 11px }</style>
  <text class="title" x="8" y="22">${escaped(title)} (${escaped(unit)}, logarithmic)</text>
${[...ticks, ...rows].join('\n')}
</svg>
`
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}
