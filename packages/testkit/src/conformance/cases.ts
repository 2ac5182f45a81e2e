import type { Subject } from './subject.ts'

/** Tests by the sentence of the contract that each one proves. */
export type Cases = Readonly<Record<string, (subject: Subject) => Promise<void>>>
