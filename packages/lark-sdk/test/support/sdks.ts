import * as newest from '@larksuiteoapi/node-sdk'
import * as oldest from 'node-sdk-1-12'
import * as between from 'node-sdk-1-44'

export type Sdk = typeof newest

/** The SDK as it is published: the oldest version that says whose tokens it asks for, one between, and the newest. What is used here has the same types in all. */
export const SDKS: ReadonlyArray<readonly [version: string, sdk: Sdk]> = [
  ['1.12.0', oldest as unknown as Sdk],
  ['1.44.0', between as unknown as Sdk],
  ['1.74.0', newest],
]
