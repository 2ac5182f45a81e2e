/** A busy machine makes a ratio greater now and then, a change that costs something makes it greater each time. */
export const ATTEMPTS = 3
/** A ratio of times this much greater than the recorded one is no noise, but for the loose ones, which need only hold. */
export const ROOM = 1.6
/** And no noise is so great that it may be this much above the most that it may be, unless the limit has a room of its own. */
export const BEYOND = 1.1
/** Bytes and requests have hardly any noise: a ratio of them has less room, and may not be above its most at all. */
export const ROOM_OF_AMOUNTS = 1.1
