import type { TokenError } from '../errors.ts'
import type { Effect, Notice, Step } from './happenings.ts'
import type { Grant, State } from './state.ts'

export function step(state: State, ...effects: Effect[]): Step {
  return { state, effects }
}

export function prepend(effects: readonly Effect[], next: Step): Step {
  return effects.length === 0 ? next : { state: next.state, effects: [...effects, ...next.effects] }
}

export function notice(told: Notice): Effect {
  return { type: 'notify', notice: told }
}

export function settle(attempt: number, grant: Grant | undefined, outcome: { backoffMs: number; failure?: TokenError }): Effect[] {
  return grant === undefined ? [] : [{ type: 'settle', attempt, fence: grant.fence, ...outcome }]
}
