import type { Contender } from '../../stampede/contender.ts'

/** Gives what is no token. */
export const contender: Contender = { name: 'empty-handed', open: () => () => async () => undefined as unknown as string }
