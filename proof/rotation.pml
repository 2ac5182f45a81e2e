/*
 * A credential that is used up by its renewal (packages/core/src/machine/rotation.ts): a user's login. What is published is the secret that
 * renews it. Nodes refresh it, and `Authoriser` (packages/core/src/feishu/replace-record.ts) replaces it by another login.
 */
#define REFRESHERS 2
#define NODES 3
#define AUTHORISER 2
#ifndef FAULTS
#define FAULTS 1
#endif
#ifndef EVENTS
#define EVENTS 1
#endif
#define ROTATES

/* The secrets of the first login are 1, 2, …; those of the second 8, 9, …. The upstream takes one secret of each, once. */
#define FIRST_OF_SECOND 8
#define loginOf(secret_) ((secret_) / FIRST_OF_SECOND)

byte good[2];
byte sent[2];                /* the newest secret that was ever sent to the upstream */

/* The lease under which an authorisation is to be published ran out before it was: whatever is granted from then on has a fence beyond its end. */
bool isLeaseOver;

#include "store.pml"
#include "environment.pml"
#include "node.pml"

/* Something has happened after which a login may be lost: a reply, or a process that had one, or a publication that took longer than a wait. */
bool isStruck;

/* Who has used a secret, and has not stored yet what it brought. */
bool isPending[NODES];

/* The upstream has said of this one that it is used up, and somebody was told so: from then on it is asked again from time to time. */
byte lost;

/* The secret for whose successor somebody has waited since it was last sent, and then looked again. */
byte waitedFor;

inline spend(me_, secret_, successor_) {
  d_step {
    /* "no secret is used a second time unless a takeover has waited and looked again", save after a loss of data or of the login */
    assert(secret_ > sent[loginOf(secret_)] || secret_ == waitedFor || dataLost || secret_ == lost);
    waitedFor = NONE;
    sent[loginOf(secret_)] = max(sent[loginOf(secret_)], secret_);
    if
    :: secret_ == good[loginOf(secret_)] -> good[loginOf(secret_)] = secret_ + 1; successor_ = secret_ + 1; isPending[me_] = true
    :: else -> successor_ = NONE
    fi
  }
}

/* A node goes by the end of the lease as it was granted. */
#define isOwnLease(me_) (record.leaseLive && record.owner == attempt[me_] && record.leaseFence == fence)

/*
 * While somebody takes over it waits longer than anybody takes to store what it has, unless there is trouble. An authorisation is not waited for: it
 * uses up no secret.
 */
#define isNothingPending (!isPending[0] && !isPending[1])
#ifdef NO_TAKEOVER_DELAY
#define isWaitOver true
#else
#define isWaitOver isNothingPending
#endif

/* What the store did not take is served, for it lives; what renews it belongs to a login that was replaced, and is not used. */
inline abide(me_) {
  d_step {
    if
#ifndef KEEP_SUPERSEDED
    :: answer == SUPERSEDED && record.version < seen[me_] -> value[me_] = NONE
#endif
    :: else
    fi
  }
}

inline finish(me_) {
  d_step {
    atWork[me_] = false; attempt[me_] = NONE; isPending[me_] = false;
    answer = 0; fence = NONE; previous = NONE; basedOn = NONE; successor = NONE
  }
}

proctype Node(byte me) {
  mtype answer;
  byte fence;                /* of the own grant */
  byte previous;             /* the secret that is to be used, */
  byte basedOn;              /* and its version */
  byte successor;

idle:
  atomic {
    waiting[me] = true;

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
    :: faults > 0 -> d_step { faults--; answer = 0; fence = NONE }; goto again
    fi;
    if
    :: answer == GRANTED && isPast(me, fence) ->
         /* a lease that says that the last holder vanished is let run out */
         if :: !record.takeover -> settle(attempt[me], fence, false) :: else fi;
         d_step { answer = 0; fence = NONE; attempt[me] = NONE };
         goto again
    :: answer == GRANTED && !isPast(me, fence) ->
         d_step {
           answer = 0;
           atWork[me] = true;
           /* "without trouble one node at a time is at work" */
           assert(!isFaultless || !(atWork[0] && atWork[1]));
           /* the newest secret known: after a loss of data that is the own one */
           if
#ifndef STORED_SECRET_ONLY
           :: seen[me] >= record.version && value[me] != NONE -> previous = value[me]; basedOn = seen[me]
#endif
           :: else -> previous = record.value; basedOn = record.version
           fi;
           /* "a process that knows a newer secret than the store uses that" */
           assert(basedOn >= seen[me] || value[me] == NONE)
         };
         if
         :: previous == NONE -> goto refused
         :: else ->
              if
              :: record.takeover -> goto rereading
              :: else -> goto fetching
              fi
         fi
    :: answer != GRANTED && !waiting[me] -> d_step { answer = 0; attempt[me] = NONE }; goto idle
    :: answer == HELD && waiting[me] ->
         d_step { answer = 0; attempt[me] = NONE };
         if
         :: subscribed[me] -> goto following
         :: else -> subscribed[me] = true; goto again
         fi
    :: answer == BACKOFF && waiting[me] -> d_step { answer = 0; attempt[me] = NONE }; goto cooling
    :: answer == NOT_DUE && waiting[me] -> assert(false)
    fi
  };

again:
  atomic { true -> goto claiming };

following:
  atomic {
    if
    :: hint[me]
    :: !record.leaseLive
    fi;
    goto claiming
  };

cooling:
  atomic {
    if
    :: waiting[me] = false; goto idle
    :: !record.backoff -> goto claiming
    fi
  };

/* The last holder vanished: it is given time to publish, and then the record is read again. A node still at work after that is a fault. */
rereading:
  atomic {
    if
    :: isWaitOver -> if :: isNothingPending && record.version <= basedOn -> waitedFor = previous :: else fi
    :: !isWaitOver && faults > 0 -> faults--; isStruck = true; if :: record.version <= basedOn -> waitedFor = previous :: else fi
    :: faults > 0 -> faults--; crash(me); finish(me); goto idle
    fi;
    if
#ifndef NO_SECOND_READ
    :: record.version > basedOn -> settle(attempt[me], fence, false); adopt(me); finish(me); goto idle
#endif
    :: else -> goto fetching
    fi
  };

/* The clock is looked at once more right before the request. */
fetching:
  atomic {
    if
    :: !isOwnLease(me) ->
         if
         :: waiting[me] -> finish(me); goto cooling
         :: else -> finish(me); goto idle
         fi
    :: else
    fi;
    if
    :: spend(me, previous, successor);
       if
       :: successor == NONE -> goto refused
       :: successor != NONE -> serve(me, fence, successor); goto publishing
       :: successor != NONE && faults > 0 -> faults--; isStruck = true; goto unknown
       :: successor != NONE && faults > 0 -> faults--; isStruck = true; crash(me); finish(me); goto idle
       fi
    /* it was sent and never arrived, which nobody can tell from an answer that was lost */
    :: faults > 0 -> faults--; d_step { sent[loginOf(previous)] = max(sent[loginOf(previous)], previous); waitedFor = NONE }; goto unknown
    :: faults > 0 -> faults--; crash(me); finish(me); goto idle
    /* the upstream says that it has not used it */
    :: events > 0 -> events--;
       if
       :: settle(attempt[me], fence, true)
       :: faults > 0 -> faults--
       :: mayLinger -> linger(SETTLE, attempt[me], fence, NONE, NONE, NONE, true, false)
       fi;
       if
       :: waiting[me] -> finish(me); goto cooling
       :: else -> finish(me); goto idle
       fi
    fi
  };

/* Not settled: a lease that runs out is what tells the next holder that the secret may be used up. */
unknown:
  atomic {
#ifdef SETTLE_UNKNOWN_OUTCOME
    settle(attempt[me], fence, false);
#endif
    finish(me);
    if
    :: waiting[me] -> goto following
    :: else -> goto idle
    fi
  };

#ifdef PUBLISH_WITHOUT_BASE
#define send publish(attempt[me], fence, value[me], WITHOUT_BASE, false, false, answer)
#else
#define send publish(attempt[me], fence, value[me], basedOn, false, false, answer)
#endif
#define lingering(isRepeat_) linger(PUBLISH, attempt[me], fence, NONE, value[me], basedOn, false, isRepeat_)

/* However late, and as often as it takes: no other login comes in between here. */
publishing:
  atomic {
    if
    :: send; adopt(me); abide(me)
    :: mayLinger -> send; lingering(true); adopt(me); abide(me)
    :: faults > 0 -> faults--; send; answer = 0; goto publishing
    :: mayLinger -> lingering(false); goto publishing
    :: mayLinger -> lingering(false); isStruck = true; crash(me)
    :: faults > 0 -> faults--; isStruck = true; crash(me)
    fi;
    finish(me);
    goto idle
  };

/* The upstream does not take it: what the record says now is what counts. */
refused:
  atomic {
    if
    :: record.version > basedOn && record.version != NONE -> settle(attempt[me], fence, false); adopt(me); finish(me); goto idle
    :: else ->
         /* "a login is lost only with a reply, with the process that had it, or with the store's data" */
         assert(isStruck || dataLost);
         settle(attempt[me], fence, true);
         waiting[me] = false;
         lost = previous;
         finish(me)
    fi
  };

/* Callers are told to have the user authorise anew, until there is something newer. */
told:
#ifdef TOLD_FOR_GOOD
  end: atomic { false -> goto idle }
#else
  end: atomic { record.version > seen[me] && record.life != ENDED -> goto idle }
#endif
}

/*
 * Fences are time: that of what superseded an authorisation says whether it was granted before the end of the lease under which that was published.
 * Stored, it gives the lease back: then the end is still ahead, and what is granted next comes before or after it. Of a clock that was set back
 * fences say nothing.
 */
#if defined(REPUBLISH_SUPERSEDED)
#define mayBeWithinLease false
#elif defined(SUPERSEDED_IS_STORED)
#define mayBeWithinLease true
#else
#define mayBeWithinLease (!isLeaseOver || clockStepped)
#endif
#if defined(REPUBLISH_SUPERSEDED) || defined(REPUBLISH_UNKNOWN)
#define isNotStored true
#else
#define isNotStored (!isRepeated)
#endif

/* A lease that says that the last holder vanished is let run out, so that the next one says it too. */
#ifdef GIVE_BACK_TAKEOVER
#define mayGiveBack true
#else
#define mayGiveBack !record.takeover
#endif
inline giveUp() {
  if
  :: mayGiveBack -> settle(attempt[AUTHORISER], fence, false)
  :: else
  fi;
  leaveWork(AUTHORISER)
}

/* Makes a new login once, and puts it in the place of whatever is there, with the lease in hand: `replaceRecord`. */
proctype Authoriser() {
  mtype answer;
  byte fence;
  byte known;                /* a version that is to be replaced although it is fresh */
  byte made;
  bool isRepeated;           /* it is sent more than once under this grant */

  end: atomic { events > 0 -> events-- };

claimOver:
  atomic {
    if
    :: attempt[AUTHORISER] == NONE -> newAttempt(AUTHORISER)
    :: else                                           /* the claim that was not answered, again */
    fi;
    readClock();
    claim(attempt[AUTHORISER], NONE, known, false, answer, fence);
    if
    :: faults > 0 -> d_step { faults--; answer = 0; fence = NONE }; goto claimOver
    :: true
    fi;
    if
    :: answer == GRANTED -> d_step { answer = 0; known = NONE; atWork[AUTHORISER] = true }
    :: answer == NOT_DUE -> d_step { answer = 0; known = record.version; attempt[AUTHORISER] = NONE }; goto claimOver
    :: answer == HELD -> d_step { answer = 0; attempt[AUTHORISER] = NONE }; goto waits
    fi;
    if
    :: made == NONE -> d_step { made = FIRST_OF_SECOND; good[1] = FIRST_OF_SECOND }
    :: made == NONE && events > 0 -> events--; giveUp(); goto done        /* the upstream does not take the code */
    :: made != NONE
    fi
  };

publishing:
  atomic {
    if
    :: publish(attempt[AUTHORISER], fence, made, WITHOUT_BASE, false, false, answer)
    /* the answer is lost, or the request, or that is late: nobody can tell which */
    :: faults > 0 -> publish(attempt[AUTHORISER], fence, made, WITHOUT_BASE, false, false, answer);
         d_step { faults--; answer = 0; isRepeated = true }; goto publishing
    :: faults > 0 -> d_step { faults--; isRepeated = true }; goto publishing
    :: mayLinger -> linger(PUBLISH, attempt[AUTHORISER], fence, NONE, made, WITHOUT_BASE, false, false); isRepeated = true; goto publishing
    :: isRepeated -> giveUp(); goto done                                  /* that has gone on for too long */
    :: faults > 0 -> faults--; leaveWork(AUTHORISER); goto done           /* its process crashes */
    fi;
    leaveWork(AUTHORISER);

    /* `outcome`: whether the record has had what was published */
    if
    :: answer == ACCEPTED -> goto stored
    /* nobody else was granted the lease while this one held it: the answer was lost, and another has gone on from what was stored */
    :: answer == SUPERSEDED && mayBeWithinLease -> goto stored
    /* after its end another may have renewed what this one replaces, or what was stored: of what was sent once the answer is this one */
    :: answer == SUPERSEDED && isNotStored -> d_step { answer = 0; fence = NONE; isLeaseOver = false; isRepeated = false }; goto claimOver
    /* what another may have used up does not come back: the user is told that a newer one has taken the place */
    :: answer == SUPERSEDED && !isNotStored -> goto done
    fi;

stored:
    /* "an authorisation that is done is in the store, or what was renewed from it", unless data was lost or the clock was set back */
    assert(loginOf(record.value) == loginOf(made) || dataLost || clockStepped);
    goto done
  };

waits:
  atomic { !record.leaseLive -> goto claimOver };

done:
  atomic { d_step { answer = 0; fence = NONE; made = NONE; isLeaseOver = false; isRepeated = false } }
}

init {
  atomic {
    d_step {
      /* a user has authorised, and the access token that came with it is due */
      record.version = 1; record.fence = 1; record.value = 1; record.life = DUE; highestGranted = 1;
      good[0] = 1
    };
    byte node;
    for (node : 0 .. REFRESHERS - 1) { run Node(node) };
    node = 0;
    run Time(); run Network(); run Trouble(); run Authoriser()
  }
}

/* "whoever waits is served or told in the end" */
ltl served { [] (waiting[0] -> <> !waiting[0]) }
/* What renews the login is nowhere any more: it went with a reply, with a process or with the store's data. */
#define isGood(secret_) ((secret_) != NONE && (secret_) == good[loginOf(secret_)])
#define isLost (!isGood(record.value) && !isGood(value[0]) && !isGood(value[1]))

/* "in the end all serve the stored version, or there is nothing that would renew it" */
ltl converges { <> [] (isLost || record.life == FRESH && seen[0] == record.version && seen[1] == record.version) }
