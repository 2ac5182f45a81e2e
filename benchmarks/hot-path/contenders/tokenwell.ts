import { createTokenManager } from '@tokenwell/core'
import { memoryStore } from '@tokenwell/store-memory'
import { type Contender, keyName, LIFE_MS, tokenValue } from '../contender.ts'

export const contender: Contender = {
  name: 'Tokenwell, handles',
  async open(keys) {
    const manager = createTokenManager({ store: memoryStore() })
    const handles = Array.from({ length: keys }, (_, index) =>
      manager.token({ key: keyName(index), fetch: async () => ({ value: tokenValue(index), expiresInMs: LIFE_MS }) }),
    )
    for (const handle of handles) await handle.get()
    return {
      ways: {
        'peek()': { sync: (index) => handles[index]?.peek() },
        'get()': { async: (index) => (handles[index] as (typeof handles)[number]).get() },
      },
    }
  },
}
