import type { Contender } from '../../hot-path/contender.ts'

/** Has a token for the first key alone. */
export const contender: Contender = {
  name: 'nothing',
  open: async () => ({
    ways: {
      sync: { sync: (index) => (index === 0 ? 'token' : undefined) },
      async: { async: async (index) => (index === 0 ? 'token' : undefined) },
    },
  }),
}
