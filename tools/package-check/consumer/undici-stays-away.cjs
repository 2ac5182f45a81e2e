// Whoever brings their own fetch must not pay for undici.
const assert = require('node:assert/strict')

const undici = () => Object.keys(require.cache).filter((file) => /[\\/]node_modules[\\/]undici[\\/]/.test(file))

require('@tokenwell/core')
assert.deepEqual(undici(), [], '@tokenwell/core loads undici')
require('@tokenwell/core/feishu')
assert.notDeepEqual(undici(), [], '@tokenwell/core/feishu should load undici, or this check sees nothing')
