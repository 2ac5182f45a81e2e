import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { licenceProblems } from '../licences.ts'

test('names each package whose licence is not free, wherever it is', () => {
  const project = mkdtempSync(join(tmpdir(), 'tokenwell-licences-'))
  onTestFinished(() => rmSync(project, { recursive: true }))
  const manifests = {
    'node_modules/free': { name: 'free', version: '1.0.0', license: 'MIT' },
    'node_modules/@scope/bound': { name: '@scope/bound', version: '2.0.0', license: 'GPL-3.0' },
    'node_modules/free/node_modules/silent': { name: 'silent', version: '3.0.0' },
    // What says how the files beside it are to be read is no package.
    'node_modules/free/dist': { type: 'module' },
  }
  for (const [folder, manifest] of Object.entries(manifests)) {
    mkdirSync(join(project, folder), { recursive: true })
    writeFileSync(join(project, folder, 'package.json'), JSON.stringify(manifest))
  }
  expect(licenceProblems(project).sort()).toEqual([
    '@scope/bound@2.0.0 has the licence "GPL-3.0"',
    'silent@3.0.0 has the licence undefined',
  ])
})
