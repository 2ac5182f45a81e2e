// Whoever brings their own fetch must not pay for undici.
import assert from 'node:assert/strict'
import { registerHooks } from 'node:module'

const loaded = []
registerHooks({
  load(url, context, next) {
    loaded.push(url)
    return next(url, context)
  },
})
const undici = () => loaded.filter((url) => url.includes('/node_modules/undici/'))

await import('@tokenwell/core')
assert.ok(
  loaded.some((url) => url.includes('/@tokenwell/core/')),
  'the hook sees what is loaded',
)
assert.deepEqual(undici(), [], '@tokenwell/core loads undici')
await import('@tokenwell/core/feishu')
assert.notDeepEqual(undici(), [], '@tokenwell/core/feishu should load undici, or this check sees nothing')
