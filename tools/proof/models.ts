/** What is searched, how far, and which faults in the protocol must be found. @module */

export interface Verification {
  readonly name: string
  /** The file in `proof/`, without its ending. */
  readonly model: string
  readonly what: string
  readonly defines: readonly string[]
  /** The claim about infinite runs, under weak fairness. Without one every reachable state is held against the assertions. */
  readonly claim?: string
}

export interface Sabotage extends Verification {
  readonly breaks: string
}

const sized = (nodes: number, faults: number, events: number) => [`NODES=${nodes}`, `FAULTS=${faults}`, `EVENTS=${events}`]
const amount = (faults: number, events: number) => [`FAULTS=${faults}`, `EVENTS=${events}`]

const lease = (nodes: number, faults: number, events: number, claim?: string): Verification => ({
  name: `lease, ${nodes} nodes`,
  model: 'lease',
  what: `${faults} faults, ${events} events`,
  defines: sized(nodes, faults, events),
  ...(claim !== undefined && { claim }),
})

const hints = (nodes: number, events: number): Verification => ({
  name: `lease, ${nodes} nodes, woken by hints alone`,
  model: 'lease',
  what: `0 faults, ${events} events`,
  defines: [...sized(nodes, 0, events), 'HINTS_ONLY'],
  claim: 'served',
})

const rotation = (faults: number, events: number, claim?: string): Verification => ({
  name: 'rotation, 2 nodes and an authorisation',
  model: 'rotation',
  what: `${faults} faults, ${events} events`,
  defines: amount(faults, events),
  ...(claim !== undefined && { claim }),
})

const ticket = (faults: number, claim?: string): Verification => ({
  name: 'ticket, 2 nodes',
  model: 'ticket',
  what: `${faults} faults`,
  defines: amount(faults, 0),
  ...(claim !== undefined && { claim }),
})

/** The longest first: they run side by side. */
export const verifications: readonly Verification[] = [
  lease(2, 2, 1),
  lease(2, 1, 2),
  lease(2, 1, 1, 'served'),
  lease(2, 1, 0, 'converges'),
  lease(2, 0, 1, 'converges'),
  lease(2, 0, 2),
  hints(2, 2),
  lease(3, 1, 0),
  rotation(1, 2),
  rotation(2, 0),
  rotation(1, 0, 'served'),
  rotation(1, 0, 'converges'),
  ticket(2),
  ticket(2, 'arrives'),
]

/** What `--large` adds: each takes up to minutes. */
export const largeVerifications: readonly Verification[] = [
  rotation(2, 1),
  rotation(1, 3),
  lease(2, 1, 1, 'converges'),
  lease(2, 2, 0, 'converges'),
  lease(3, 1, 1),
  lease(2, 2, 0, 'served'),
  rotation(1, 1, 'converges'),
  rotation(1, 1, 'served'),
  hints(3, 1),
]

const sabotaged = (verification: Verification, name: string, breaks: string): Sabotage => ({
  ...verification,
  name,
  breaks,
  defines: [...verification.defines, name],
})

/** Each takes one rule away, and with it the proof must fail. */
export const sabotages: readonly Sabotage[] = [
  sabotaged(lease(2, 1, 0), 'NO_FENCE_CHECK', 'a publication is accepted whatever its fence'),
  sabotaged(lease(2, 1, 0), 'COUNTER_ONLY_FENCE', 'fences are counted, without the clock'),
  sabotaged(lease(2, 1, 1), 'CLOCK_ONLY_FENCE', 'fences are the clock, without the count'),
  sabotaged(lease(2, 2, 0), 'NO_FLOOR', 'a grant does not look at what the claimer has seen'),
  sabotaged(lease(2, 1, 1), 'PUBLISH_NOT_IDEMPOTENT', 'a repeated publication writes again'),
  sabotaged(lease(2, 1, 1), 'SETTLE_WITHOUT_OWNER', 'a settle does not look at whose lease it is'),
  sabotaged(lease(2, 2, 0), 'SERVE_OLDER', 'a node adopts a version below one it has served'),
  sabotaged(hints(2, 2), 'NO_SECOND_CLAIM', 'a node that has just subscribed waits without claiming again'),
  sabotaged(rotation(1, 0), 'NO_TAKEOVER_DELAY', 'a takeover does not wait'),
  sabotaged(rotation(1, 0), 'NO_SECOND_READ', 'a takeover waits and does not read again'),
  sabotaged(rotation(1, 0), 'SETTLE_UNKNOWN_OUTCOME', 'the lease is released although nobody knows what the request did'),
  sabotaged(rotation(2, 0), 'TAKEOVER_NOT_KEPT', 'a claim that is sent again is not told that it takes over'),
  sabotaged(rotation(1, 0), 'STORED_SECRET_ONLY', 'the secret of the store is used, though the process has a newer one'),
  sabotaged(rotation(2, 1), 'NO_BASED_ON', 'a publication does not say what it was derived from'),
  sabotaged(rotation(2, 1), 'KEEP_SUPERSEDED', 'a secret is used on that the store has superseded'),
  sabotaged(
    rotation(1, 2),
    'REPUBLISH_SUPERSEDED',
    'an authorisation that was superseded is published once more, as if it had never been stored',
  ),
  sabotaged(rotation(1, 2), 'REPUBLISH_UNKNOWN', 'an authorisation that may have been stored is published once more'),
  sabotaged(rotation(1, 1), 'SUPERSEDED_IS_STORED', 'an authorisation that was superseded is done, whatever superseded it'),
  sabotaged(rotation(1, 2), 'GIVE_BACK_TAKEOVER', 'an authorisation that fails gives back a lease that says that its last holder vanished'),
  sabotaged(rotation(1, 1, 'converges'), 'TOLD_FOR_GOOD', 'who was told to have the user authorise anew does not see that it was done'),
  sabotaged(ticket(2, 'arrives'), 'NO_PUBLISH_OVER_DEAD', 'a ticket is not published over a dead one of a later time'),
]
