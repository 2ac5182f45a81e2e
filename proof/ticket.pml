/*
 * The app ticket (packages/core/src/feishu/app-ticket.ts): pushed by the platform to one node, used by all. Its fence is the time of its
 * event, its attempt the event's id, and nobody claims. Events come late, twice, in the wrong order, and from the future.
 */
#define NODES 2
#ifndef FAULTS
#define FAULTS 2
#endif
#ifndef EVENTS
#define EVENTS 0
#endif

#include "store.pml"

unsigned faults : 3 = FAULTS;

/* Tickets 1 to 3, in the order in which the platform made them: making one ends the one before. FUTURE is the event of one with a wrong time. */
#define TICKETS 3
#define FUTURE 3

byte time[TICKETS + 1];      /* of each ticket's event; set when it is made */
bool isPushed[TICKETS + 1];  /* an event that is on its way */
byte good;                   /* the ticket that the upstream takes */

#define isUsable (record.version > record.rejectedUpTo)

/* What a process has seen refused: it takes no redelivery of that (app-ticket.ts, `#dead`). */
typedef Process { bool dead[TICKETS + 1] }
Process process[NODES];

proctype Node(byte me) {
  mtype answer;
  byte ticket;
  byte fence;
  byte version;

idle:
  end: atomic {
    if
    :: isPushed[1] -> ticket = 1
    :: isPushed[2] -> ticket = 2
    :: isPushed[3] -> ticket = 3
    /* a token is minted with what the record has, and refused */
    :: isUsable && record.value != good -> process[me].dead[record.value] = true; version = record.version; goto rejecting
    fi;
    isPushed[ticket] = false;
    if
    :: process[me].dead[ticket] -> ticket = NONE; goto idle
    :: else -> fence = time[ticket]
    fi
  };

publishing:
  atomic {
    if
    :: publish(ticket, fence, ticket, WITHOUT_BASE, false, fence > time[0], answer)
    /* it is pushed again, to anybody, because this answer comes too late */
    :: faults > 0 -> faults--; publish(ticket, fence, ticket, WITHOUT_BASE, false, fence > time[0], answer); isPushed[ticket] = true
    :: faults > 0 -> faults--; isPushed[ticket] = true; answer = REFUSED
    fi;
    if
    /* what is in the way is dead, so being newer is no merit of it */
#ifndef NO_PUBLISH_OVER_DEAD
    :: answer == SUPERSEDED && !isUsable && record.value != ticket && fence <= record.rejectedUpTo ->
         answer = 0; fence = record.rejectedUpTo + 1; goto publishing
#endif
    :: else -> d_step { answer = 0; ticket = NONE; fence = NONE }; goto idle
    fi
  };

rejecting:
  atomic { invalidate(version); version = NONE; goto idle }
}

/* time[0] is the latest time that is not too far ahead of the store's clock. */
proctype Platform() {
  atomic { time[0] = 8; time[1] = 2; isPushed[1] = true; good = 1 };
  atomic {
    if
    :: time[2] = 4
    :: faults > 0 -> faults--; time[2] = 1                               /* its clock went back */
    fi;
    isPushed[2] = true; good = 2
  };
  if
  :: atomic { faults > 0 -> faults--; time[FUTURE] = 12; isPushed[FUTURE] = true }
  :: true
  fi;
  /* a fleet without a ticket asks for one */
  end: do
  :: atomic { !isUsable && !isPushed[good] && !isPushed[1] && !isPushed[FUTURE] -> isPushed[good] = true }
  od
}

init { atomic { run Node(0); run Node(1); run Platform() } }

/* "in the end the store has the ticket that the upstream takes" */
ltl arrives { <> [] (record.value == good && isUsable) }
