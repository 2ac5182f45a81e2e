// `node --import ./tools/sources.mjs`: the packages' sources instead of their builds.
import { registerHooks } from 'node:module'

const PACKAGE = /^@tokenwell\/([a-z-]+)(?:\/([a-z-]+))?$/

registerHooks({
  resolve(specifier, context, next) {
    const [, name, path] = PACKAGE.exec(specifier) ?? []
    if (name === undefined) return next(specifier, context)
    return next(new URL(`../packages/${name}/src/${path === undefined ? '' : `${path}/`}index.ts`, import.meta.url).href, context)
  },
})
