/*
 * The record of one key, and what each operation of the contract (packages/core/src/store.ts) makes of it.
 *
 * Every branch of the contract is one transition here, named by `branch`: `claim_own_lease` is the contract's "claim/own-lease". The checker
 * holds the names against the contract's and against Spin's report of what the search never reached. An operation is one atomic step, as
 * it is in every store; it reads nothing but the record, its arguments and the store's clock.
 *
 * Versions, fences, attempts and values are small numbers, 0 for "none": the contract compares versions by order alone and the rest by
 * equality. A deadline is not a moment but whether it is still ahead; when it passes is up to `Time` and `Trouble` (environment.pml).
 */
#define NONE 0
#define MOST 31         /* no version may reach it; see noteAfter */
#define WITHOUT_BASE 31 /* `basedOn` is not given */

/* What is left of a value: it is good, its renewal is due, it has ended. */
#define ENDED 0
#define DUE 1
#define FRESH 2

#define branch(name) taken = name
mtype = {
  claim_own_lease, claim_fresh, claim_backoff, claim_held, claim_other_config, claim_granted, claim_taken_over,
  publish_repeated, publish_superseded_by_base, publish_superseded, publish_refused, publish_accepted,
  settle_ignored, settle_released, settle_backed_off,
  invalidate_older, invalidate_quiet, invalidate_known, invalidate_rejected
}
hidden mtype taken;

mtype = { GRANTED, HELD, BACKOFF, NOT_DUE, ACCEPTED, SUPERSEDED, REFUSED }

typedef Record {
  unsigned fence : 5;
  unsigned rejectedUpTo : 5;
  unsigned version : 5;
  unsigned publishedBy : 4;
  unsigned value : 4;
  unsigned life : 2;
  bool quiet;
  unsigned owner : 4;        /* stays when the lease has run out: that is how a takeover is known */
  unsigned leaseFence : 5;
  bool leaseLive;
  bool takeover;
  bool backoff               /* in force; a backoff that is over is a count, and nothing here depends on the count */
}

Record record;

/* Hints: who has subscribed, and whose hint is latched. */
bool subscribed[NODES];
bool hint[NODES];

hidden byte each;

inline announce() {
  d_step {
    for (each : 0 .. NODES - 1) { if :: subscribed[each] -> hint[each] = true :: else fi };
    each = 0
  }
}

inline copyRecord(to, from) {
  to.fence = from.fence; to.rejectedUpTo = from.rejectedUpTo;
  to.version = from.version; to.publishedBy = from.publishedBy; to.value = from.value; to.life = from.life; to.quiet = from.quiet;
  to.owner = from.owner; to.leaseFence = from.leaseFence; to.leaseLive = from.leaseLive; to.takeover = from.takeover;
  to.backoff = from.backoff
}

#define max(a, b) ((a) > (b) -> (a) : (b))

#include "invariants.pml"

/* The store's clock for one operation. A right one has passed every fence it ever gave; one that was set back may be behind them all. */
hidden byte clock;
bool clockStepped;
inline readClock() {
  if
  :: clock = highestGranted + 1
  :: clockStepped -> clock = 0
  fi
}

#define isFresh(seen_, rejected_) \
  (record.version != NONE && record.life == FRESH && record.version >= seen_ && record.version > max(record.rejectedUpTo, rejected_))

#if defined(COUNTER_ONLY_FENCE)
#define nextFence(seen_, rejected_) (max(max(record.fence, seen_), rejected_) + 1)
#elif defined(CLOCK_ONLY_FENCE)
#define nextFence(seen_, rejected_) max(clock, 1)
#elif defined(NO_FLOOR)
#define nextFence(seen_, rejected_) max(record.fence + 1, clock)
#else
#define nextFence(seen_, rejected_) max(max(max(record.fence, seen_), rejected_) + 1, clock)
#endif

inline grant(attempt_, seen_, rejected_, answer_, fence_, takeover_) {
  d_step {
    fence_ = nextFence(seen_, rejected_);
    noteGrant(fence_, seen_, rejected_);
    record.fence = fence_;
    record.owner = attempt_; record.leaseFence = fence_; record.leaseLive = true; record.takeover = takeover_;
    answer_ = GRANTED
  }
}

/* `concerned`: the backoff, if there is one, is under the caller's configuration, or one of the two has none. */
inline claim(attempt_, seen_, rejected_, concerned_, answer_, fence_) {
  noteBefore();
  if
  :: record.leaseLive && record.owner == attempt_ ->
       branch(claim_own_lease);
       /* with what it was granted with, also whether it was a takeover */
#ifdef TAKEOVER_NOT_KEPT
       record.takeover = false;
#endif
       d_step { answer_ = GRANTED; fence_ = record.leaseFence }
  :: else -> if
  :: isFresh(seen_, rejected_) ->
       branch(claim_fresh);
       answer_ = NOT_DUE
  :: else -> if
  :: record.backoff && concerned_ ->
       branch(claim_backoff);
       answer_ = BACKOFF
  :: else -> if
  :: record.leaseLive ->
       branch(claim_held);
       answer_ = HELD
  :: else -> if
  :: record.backoff ->
       branch(claim_other_config);
       grant(attempt_, seen_, rejected_, answer_, fence_, record.owner != NONE)
  :: else -> if
  :: record.owner == NONE ->
       branch(claim_granted);
       grant(attempt_, seen_, rejected_, answer_, fence_, false)
  :: else ->
       branch(claim_taken_over);
       grant(attempt_, seen_, rejected_, answer_, fence_, true)
  fi fi fi fi fi fi;
  noteAfter(attempt_)
}

inline releaseLease(attempt_) {
  d_step {
    if
    :: record.owner == attempt_ -> record.owner = NONE; record.leaseFence = NONE; record.leaseLive = false; record.takeover = false
    :: else
    fi
  }
}

inline write(attempt_, fence_, value_, vouched_) {
  d_step {
    record.version = fence_; record.publishedBy = attempt_; record.value = value_; record.life = FRESH; record.quiet = vouched_;
    record.backoff = false;
    record.fence = max(record.fence, fence_)
  }
}

#ifdef NO_FENCE_CHECK
#define isOvertaken(fence_) false
#else
#define isOvertaken(fence_) (fence_ <= record.version)
#endif

#ifdef NO_BASED_ON
#define isOutdated(basedOn_) false
#else
#define isOutdated(basedOn_) (record.version > basedOn_)
#endif

/* `tooFarAhead`: `maxAheadMs` is given, and the fence is further ahead of the store's clock. */
inline publish(attempt_, fence_, value_, basedOn_, vouched_, tooFarAhead_, answer_) {
  noteBefore();
  if
  :: record.version != NONE && record.publishedBy == attempt_ ->
       branch(publish_repeated);
#ifdef PUBLISH_NOT_IDEMPOTENT
       write(attempt_, fence_, value_, vouched_);
#endif
       answer_ = ACCEPTED
  :: else -> if
  :: isOutdated(basedOn_) ->
       branch(publish_superseded_by_base);
       releaseLease(attempt_);
       answer_ = SUPERSEDED
  :: else -> if
  :: isOvertaken(fence_) ->
       branch(publish_superseded);
       releaseLease(attempt_);
       answer_ = SUPERSEDED
  :: else -> if
  :: tooFarAhead_ ->
       branch(publish_refused);
       answer_ = REFUSED
  :: else ->
       branch(publish_accepted);
       write(attempt_, fence_, value_, vouched_);
       releaseLease(attempt_);
       announce();
       answer_ = ACCEPTED
  fi fi fi fi;
  noteAfter(attempt_)
}

#ifdef SETTLE_WITHOUT_OWNER
#define maySettle(attempt_, fence_) (record.leaseLive)
#else
#define maySettle(attempt_, fence_) (record.owner == attempt_ && record.leaseFence == fence_ && record.leaseLive)
#endif

/* `failed`: `backoffMs` > 0. */
inline settle(attempt_, fence_, failed_) {
  noteBefore();
  if
  :: !maySettle(attempt_, fence_) ->
       branch(settle_ignored)
  :: else -> if
  :: !failed_ ->
       branch(settle_released);
       releaseLease(record.owner);
       announce()
  :: else ->
       branch(settle_backed_off);
       releaseLease(record.owner);
       record.backoff = true;
       announce()
  fi fi;
  noteAfter(attempt_)
}

inline invalidate(version_) {
  noteBefore();
  if
  :: version_ < record.version ->
       branch(invalidate_older)
  :: else -> if
  :: version_ == record.version && record.quiet ->
       branch(invalidate_quiet)
  :: else -> if
  :: version_ <= record.rejectedUpTo ->
       branch(invalidate_known)
  :: else ->
       branch(invalidate_rejected);
       d_step { record.rejectedUpTo = max(version_, record.fence); record.fence = record.rejectedUpTo };
       announce()
  fi fi fi;
  noteAfter(NONE)
}
