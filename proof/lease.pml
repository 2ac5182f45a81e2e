/*
 * One credential in a fleet: the machine of packages/core/src/machine/, for a token that may be fetched as often as one likes.
 *
 * A node does the same for ever: a caller uses what it has, another asks for more. The labels are the machine's activities.
 */
#ifndef NODES
#define NODES 2
#endif
#ifndef FAULTS
#define FAULTS 1
#endif
#ifndef EVENTS
#define EVENTS 1
#endif

#include "store.pml"
#include "environment.pml"
#include "node.pml"

/*
 * The upstream gives out the same token until it is revoked. Tokens are numbered by age. It is revoked when that is first noticed, by a use
 * or by a fetch: nobody can tell whether it was before.
 */
unsigned current : 4 = 1;
inline revoke() {
  d_step { events--; current++ }
}
#define isDead(value_) ((value_) < current)

proctype Node(byte me) {
  mtype answer;
  byte fence;               /* of the own grant */
  byte refused;             /* the value of a version that was rejected before the fetch began */
  byte version;             /* to be rejected */
  byte old;                 /* its value */

idle:
  atomic {
    if
    /* the API refuses what the upstream has revoked, a moment ago or before; or it refuses something else, and a caller takes it for that */
    :: hasToken(me) && isDead(value[me]) -> goto rejecting
    :: hasToken(me) && !isDead(value[me]) && events > 0 -> revoke(); goto rejecting
    :: hasToken(me) && !isDead(value[me]) && events > 0 -> events--; goto rejecting
    :: !(hasToken(me) && isDead(value[me])) -> waiting[me] = true
    fi;

claiming:
    if
    :: attempt[me] == NONE -> newAttempt(me)
    :: else                                           /* the claim that was not answered, again */
    fi;
    hint[me] = false;
    readClock();
    claim(attempt[me], seen[me], rejected[me], true, answer, fence);
    if
    :: adopt(me)
    :: mayLinger -> linger(CLAIM, attempt[me], seen[me], rejected[me], NONE, NONE, false, true); adopt(me)
    /* the answer is lost: the same claim again */
    :: faults > 0 -> d_step { faults--; answer = 0; fence = NONE }; goto again
    fi;
    if
    :: answer == GRANTED && isPast(me, fence) ->
         /* a grant of long ago, whose fence is no good any more */
         settle(attempt[me], fence, false);
         d_step { answer = 0; fence = NONE };
         attempt[me] = NONE;
         goto again
    :: answer == GRANTED && !isPast(me, fence) ->
         d_step {
           answer = 0;
           atWork[me] = true;
           /* "without trouble one node at a time is at work" */
           assert(!isFaultless || !areTwoAtWork);
           /* of the two that may be rejected the younger: a fetch brings none that is older than it */
           if :: record.version != NONE && record.version <= rejected[me] -> refused = record.value :: else fi;
           if :: seen[me] <= rejected[me] -> refused = max(refused, value[me]) :: else fi
         };
         goto fetching
    :: answer != GRANTED && !waiting[me] -> d_step { answer = 0; attempt[me] = NONE }; goto idle
    :: answer == HELD && waiting[me] ->
         d_step { answer = 0; attempt[me] = NONE };
         if
         :: subscribed[me] -> goto following
         :: else -> goto subscribing
         fi
    :: answer == BACKOFF && waiting[me] -> d_step { answer = 0; attempt[me] = NONE }; goto cooling
    :: answer == NOT_DUE && waiting[me] -> assert(false)
    fi
  };

again:
  atomic { true -> goto claiming };

subscribing:
  /* what was published since the claim was announced to others only: it is claimed once more before it is waited */
#ifdef NO_SECOND_CLAIM
  atomic { subscribed[me] = true; goto following };
#else
  atomic { subscribed[me] = true; goto claiming };
#endif

following:
  atomic {
    if
    :: hint[me]
#ifndef HINTS_ONLY
    :: !record.leaseLive
#endif
    fi;
    goto claiming
  };

cooling:
  atomic {
    if
    :: waiting[me] = false; goto idle          /* the caller is told of the failure */
    :: !record.backoff -> goto claiming
    fi
  };

fetching:
  atomic {
    if
    :: serve(me, fence, current);
       goto publishing
    :: events > 0 -> revoke(); serve(me, fence, current);
       goto publishing
    /* the upstream fails, or something else has to be there first */
    :: events > 0 -> events--;
       if
       :: settle(attempt[me], fence, true)
       :: settle(attempt[me], fence, false)
       :: faults > 0 -> faults--                                        /* it never arrives */
       :: mayLinger -> linger(SETTLE, attempt[me], fence, NONE, NONE, NONE, true, false)
       :: mayLinger -> settle(attempt[me], fence, true); linger(SETTLE, attempt[me], fence, NONE, NONE, NONE, true, true)
       :: mayLinger -> linger(SETTLE, attempt[me], fence, NONE, NONE, NONE, false, false)
       fi;
       leaveWork(me); d_step { fence = NONE; refused = NONE };
       if
       :: waiting[me] -> goto cooling
       :: else -> goto idle
       fi
    :: faults > 0 -> faults--; crash(me); d_step { fence = NONE; refused = NONE }; goto idle
    fi
  };

#define send publish(attempt[me], fence, value[me], WITHOUT_BASE, value[me] == refused, false, answer)
#define lingering(isRepeat_) linger(PUBLISH, attempt[me], fence, NONE, value[me], WITHOUT_BASE, value[me] == refused, isRepeat_)

publishing:
  atomic {
    if
    :: send; adopt(me)
    :: mayLinger -> send; lingering(true); adopt(me)
    /* the answer is lost: the same publication again */
    :: faults > 0 -> faults--; send; answer = 0; goto publishing
    :: mayLinger -> lingering(false); goto publishing
    :: mayLinger -> lingering(false); crash(me)
    :: faults > 0 -> faults--; crash(me)
    /* its callers have it already, and it is refused before the store has it */
    :: hasToken(me) && isDead(value[me]) -> goto abandoning
    :: hasToken(me) && !isDead(value[me]) && events > 0 -> revoke(); goto abandoning
    fi;
    leaveWork(me);
    d_step { answer = 0; fence = NONE; refused = NONE };
    goto idle
  };

abandoning:
  atomic {
    version = seen[me];
    invalidate(version);
    version = NONE;
    adopt(me);
    settle(attempt[me], fence, false);
    leaveWork(me);
    d_step { fence = NONE; refused = NONE };
    goto idle
  };

rejecting:
  atomic {
    d_step { if :: version == NONE -> version = seen[me]; old = value[me] :: else fi };
    if
    :: invalidate(version)
    :: mayLinger -> invalidate(version); linger(INVALIDATE, NONE, version, NONE, NONE, NONE, false, !(version == record.version && record.quiet))
    /* the store does not answer: this process goes by its own report */
    :: mayLinger -> linger(INVALIDATE, NONE, version, NONE, NONE, NONE, false, false);
       d_step { rejected[me] = max(rejected[me], version); version = NONE; old = NONE }; goto idle
    :: faults > 0 -> faults--; d_step { rejected[me] = max(rejected[me], version); version = NONE; old = NONE }; goto idle
    fi;
    adopt(me);
    if
    /* the same dead value under a newer version, fetched while this report was on its way */
    :: record.version > version && record.value == old && record.version > record.rejectedUpTo -> version = record.version; goto rejecting
    :: else -> d_step { version = NONE; old = NONE }; goto idle
    fi
  }
}

init {
  atomic {
    byte node;
    for (node : 0 .. NODES - 1) { run Node(node) };
    node = 0;
    run Time(); run Network(); run Trouble()
  }
}

#define isConverged(node_) (seen[node_] == record.version && hasToken(node_) && !isDead(value[node_]))
#if NODES == 2
#define areAllConverged (isConverged(0) && isConverged(1))
#else
#define areAllConverged (isConverged(0) && isConverged(1) && isConverged(2))
#endif

/* "whoever waits is served or told in the end" */
ltl served { [] (waiting[0] -> <> !waiting[0]) }
/* "in the end all serve the stored version, and it is good" */
ltl converges { <> [] (areAllConverged && record.life == FRESH) }
