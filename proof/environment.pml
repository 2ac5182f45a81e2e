/*
 * What surrounds the nodes: time, which passes whether they like it or not, a network that keeps operations back and repeats them, and
 * trouble, of which there is only so much. `FAULTS` counts what is out of order, `EVENTS` what any fleet meets on any day.
 */
unsigned faults : 3 = FAULTS;
unsigned events : 3 = EVENTS;

#define isFaultless (faults == FAULTS)

/* The attempt under which a node acts, and whether it is at work under a lease: between its grant and its publication. */
byte attempt[NODES];
bool atWork[NODES];

/* Who waits to be served or told. */
bool waiting[NODES];

/*
 * One operation that is still on its way although its sender has gone on. `isRepeat`: it has been carried out already, and what arrives is
 * a second copy. The sender sent it before it crashed, or the client sent it again, or the network held it back.
 */
#define NOTHING 0
mtype = { CLAIM, PUBLISH, SETTLE, INVALIDATE }
typedef Message {
  mtype kind;
  unsigned attempt : 4;
  unsigned version : 5;      /* fence, or the version to reject, or what a claim had seen */
  unsigned rejected : 5;
  unsigned value : 4;
  unsigned basedOn : 5;
  bool flag;                 /* vouched, or failed */
  bool isRepeat
}
Message late;

inline linger(kind_, attempt_, version_, rejected_, value_, basedOn_, flag_, isRepeat_) {
  d_step {
    faults--;
    late.kind = kind_; late.attempt = attempt_; late.version = version_; late.rejected = rejected_;
    late.value = value_; late.basedOn = basedOn_; late.flag = flag_; late.isRepeat = isRepeat_
  }
}

#define mayLinger (faults > 0 && late.kind == NOTHING)

inline forget() {
  d_step {
    late.kind = NOTHING; late.attempt = NONE; late.version = NONE; late.rejected = NONE;
    late.value = NONE; late.basedOn = NONE; late.flag = false; late.isRepeat = false
  }
}

/* A store that a follower takes over for it has what had been replicated when replication last worked. */
Record replica;
hidden Record blank;
bool isReplicaBehind;

/*
 * Attempts are random and never the same. Here the lowest number is taken that nobody and nothing still knows: attempts are compared by
 * equality alone, so which of the unknown ones it is makes no difference.
 */
hidden byte candidate;
hidden byte isKnown;
inline newAttempt(node_) {
  d_step {
    attempt[node_] = NONE;
    candidate = 1;
    do
    :: isKnown = record.owner == candidate || record.publishedBy == candidate || replica.owner == candidate ||
         replica.publishedBy == candidate || late.attempt == candidate;
       for (each : 0 .. NODES - 1) { isKnown = isKnown || attempt[each] == candidate };
       if
       :: isKnown -> candidate++
       :: else -> break
       fi
    od;
    attempt[node_] = candidate;
    candidate = 0; isKnown = false; each = 0
  }
}

/* Whether the lease's owner is at work, and whether more than one node is. */
#if NODES == 2
#define areTwoAtWork (atWork[0] && atWork[1])
#define isOwnerAtWork (atWork[0] && attempt[0] == record.owner || atWork[1] && attempt[1] == record.owner)
#else
#define areTwoAtWork (atWork[0] && atWork[1] || atWork[0] && atWork[2] || atWork[1] && atWork[2])
#define isOwnerAtWork \
  (atWork[0] && attempt[0] == record.owner || atWork[1] && attempt[1] == record.owner || atWork[2] && attempt[2] == record.owner)
#endif

/* What happens for certain, sooner or later. The lease of a node at work outlasts its work, unless there is trouble. */
proctype Time() {
  end: do
  :: atomic { record.leaseLive && !isOwnerAtWork -> record.leaseLive = false }
  :: atomic { record.backoff -> record.backoff = false }
  :: atomic { record.quiet -> record.quiet = false }
  :: atomic { record.life == DUE -> record.life = ENDED }
  od
}

/* A late operation arrives, or never does. */
inline arrive(answer_, fence_) {
  if :: late.kind == CLAIM -> readClock() :: else fi;
  isRepeat = late.isRepeat && late.kind != CLAIM;
  if
  :: late.kind == CLAIM -> claim(late.attempt, late.version, late.rejected, true, answer_, fence_)
  :: late.kind == PUBLISH -> publish(late.attempt, late.version, late.value, late.basedOn, late.flag, false, answer_)
  :: late.kind == SETTLE -> settle(late.attempt, late.version, late.flag)
  :: late.kind == INVALIDATE -> invalidate(late.version)
  fi;
  d_step { answer_ = 0; fence_ = NONE; isRepeat = false }
}

proctype Network() {
  mtype answer;
  byte fence;

end:
  atomic {
    late.kind != NOTHING ->
    if
    :: forget()
    :: true -> arrive(answer, fence); forget()
    /* and once more, later */
    :: faults > 0 -> faults--; arrive(answer, fence); late.isRepeat = true
    fi;
    goto end
  }
}

/* What may happen, and need not. */
proctype Trouble() {
  end: do
#ifdef LIVENESS
  :: break
#endif
  /* a node at work is paused until its lease has run out; or the clock jumps forward */
  :: atomic { faults > 0 && record.leaseLive && isOwnerAtWork -> d_step { faults--; record.leaseLive = false;
#ifdef ROTATES
       isLeaseOver = isLeaseOver || atWork[AUTHORISER] && attempt[AUTHORISER] == record.owner
#endif
       } }
  /* replication stops, and at some time after that the primary is lost; a replica that stopped at the start is an empty one */
  :: atomic { faults > 0 && !isReplicaBehind -> d_step { faults--; isReplicaBehind = true; copyRecord(replica, record) } }
  :: atomic { isReplicaBehind -> d_step {
       copyRecord(record, replica); dataLost = true; late.isRepeat = false;
       isReplicaBehind = false; copyRecord(replica, blank) } }
#ifdef ROTATES
  /* the store loses everything, which no follower can bring about: there was something in it from the start */
  :: atomic { faults > 0 && !dataLost -> d_step { faults--; copyRecord(record, blank); dataLost = true; late.isRepeat = false } }
#endif
  /* the store's clock is set back, by less than since a lease ran out, which nobody has taken over: it is ahead again; or by any other time */
  :: atomic { faults > 0 && !clockStepped -> d_step { faults--; clockStepped = true };
       if
       :: record.owner != NONE && !record.leaseLive -> record.leaseLive = true
       :: true
       fi }
  /* a hint is lost */
  :: atomic { faults > 0 && hint[0] -> faults--; hint[0] = false }
  :: atomic { faults > 0 && hint[1] -> faults--; hint[1] = false }
#if NODES > 2
  :: atomic { faults > 0 && hint[2] -> faults--; hint[2] = false }
#endif
  /* renewal falls due */
  :: atomic { events > 0 && record.life == FRESH -> events--; record.life = DUE }
  od
}
