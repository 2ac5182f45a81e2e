import { describe, expect, it } from 'vitest'
import { isNewEnough, pickVersion } from '../node.mjs'

const known = { default: '24.21.0', versions: ['22.23.3', '24.21.0', '26.10.0'] }

describe('the Node that tasks run on', () => {
  it('is the one that was asked for', () => {
    const major = process.versions.node.split('.')[0]
    const asked = process.env.EXPECT_NODE_MAJOR
    expect(
      asked === undefined ? isNewEnough(process.versions.node) : major === asked,
      `runs on ${process.version}, asked for ${asked}`,
    ).toBe(true)
  })

  it('is the running one when it is new enough', () => {
    expect(pickVersion(undefined, '22.19.0', known)).toEqual({ version: '22.19.0', fetched: false })
    expect(pickVersion('', '26.1.0', known)).toEqual({ version: '26.1.0', fetched: false })
  })

  it('is fetched when the running one is too old', () => {
    expect(pickVersion(undefined, '20.20.2', known)).toEqual({ version: '24.21.0', fetched: true })
    expect(pickVersion(undefined, '22.18.9', known)).toEqual({ version: '24.21.0', fetched: true })
  })

  it('is the running one when its major is asked for', () => {
    expect(pickVersion('24', '24.3.0', known)).toEqual({ version: '24.3.0', fetched: false })
    expect(pickVersion('v24.3.0', '24.3.0', known)).toEqual({ version: '24.3.0', fetched: false })
  })

  it('is fetched when another one is asked for', () => {
    expect(pickVersion('22', '24.3.0', known)).toEqual({ version: '22.23.3', fetched: true })
    expect(pickVersion('22', '22.1.0', known)).toEqual({ version: '22.23.3', fetched: true })
    expect(pickVersion('24.9.0', '24.3.0', known)).toEqual({ version: '24.9.0', fetched: true })
  })

  it('is refused with a sentence when it cannot be had', () => {
    expect(() => pickVersion('lts', '24.3.0', known)).toThrow('takes a major')
    expect(() => pickVersion('23', '24.3.0', known)).toThrow('22.23.3, 24.21.0, 26.10.0')
    expect(() => pickVersion('20.20.2', '24.3.0', known)).toThrow('22.19 or newer')
    expect(() => pickVersion(undefined, '20.20.2', undefined)).toThrow('install one')
  })
})
