import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { installPackages, type Machine, thisMachine } from '../../../../tools/test-servers/machine.ts'

/** A series as promtool writes it: its name and labels, and its values, such as `1x10` for ten more of the same. */
export type Series = readonly [series: string, values: string]

/** What has to fire at some time of some series; nothing, if it is empty. */
export interface AlertCase {
  readonly name: string
  readonly alert: string
  readonly series: readonly Series[]
  /** Minutes after the first sample. There is one every 30 s. */
  readonly atMinutes: number
  readonly fires: readonly { readonly labels: object; readonly annotations: object }[]
}

/**
 * Has Prometheus evaluate the rules of a file over these series.
 *
 * @throws with what it found instead
 */
export async function testRules(rules: string, cases: readonly AlertCase[]): Promise<void> {
  const promtool = providePromtool()
  const folder = await mkdtemp(join(tmpdir(), 'tokenwell-promtool-'))
  try {
    const file = join(folder, 'cases.yaml')
    const tests = cases.map(({ name, alert, series, atMinutes, fires }) => ({
      name,
      interval: '30s',
      input_series: series.map(([labels, values]) => ({ series: labels, values })),
      alert_rule_test: [
        {
          alertname: alert,
          eval_time: `${atMinutes * 60}s`,
          exp_alerts: fires.map(({ labels, annotations }) => ({ exp_labels: labels, exp_annotations: annotations })),
        },
      ],
    }))
    await writeFile(file, stringify({ rule_files: [rules], evaluation_interval: '30s', tests }))
    await new Promise<void>((resolve, reject) => {
      execFile(promtool, ['test', 'rules', file], { timeout: 60_000 }, (error, stdout, stderr) => {
        if (error === null) resolve()
        else reject(new Error(`promtool ended with ${error.code}:\n${stdout}\n${stderr}`))
      })
    })
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** On the PATH, else what Debian and Ubuntu have, else the sentence that says what to install. */
function providePromtool(machine: Machine = thisMachine): string {
  const promtool = machine.find('promtool') ?? (installPackages(['prometheus'], machine) ? machine.find('promtool') : undefined)
  if (promtool !== undefined) return promtool
  throw new Error('The alerts are tried by promtool: install prometheus, or put promtool on the PATH.')
}
