import { readFileSync } from 'node:fs'

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>
}

const { dependencies } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as Manifest

/** A library as figures name it: with the version that is measured, without what only mends it. @throws Error when it is not pinned to one */
export function library(dependency: string, name = dependency): string {
  const [, version] = /^(\d+\.\d+)\.\d+$/.exec(dependencies[dependency] ?? '') ?? []
  if (version === undefined) throw new Error(`${dependency} is not pinned to a version`)
  return `${name} ${version}`
}

export const NODE_SDK = library('@larksuiteoapi/node-sdk', 'the official node-sdk')
export const MSAL = library('@azure/msal-node', 'msal-node')
