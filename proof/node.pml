/* What a process knows of a key (state.ts), and what it does with an answer. */

/* The highest version it may have returned and that one's value, and the highest version it knows to be rejected. */
byte seen[NODES];
byte value[NODES];
byte rejected[NODES];

#define hasToken(me_) (seen[me_] > rejected[me_])
#define isPast(me_, fence_) (fence_ <= max(seen[me_], rejected[me_]))

/* Gives a token to whoever waits. */
inline serve(me_, version_, value_) {
  d_step {
    /* "a process never serves a version older than one it served, nor one it has seen rejected" */
    assert(version_ >= seen[me_] && version_ > rejected[me_]);
    seen[me_] = version_; value[me_] = value_; waiting[me_] = false
  }
}

#ifdef SERVE_OLDER
#define isOlder(me_) false
#else
#define isOlder(me_) (record.version < seen[me_])
#endif

/* adopt.ts: a snapshot that is usable is served at once, whatever the answer that brought it. */
inline adopt(me_) {
  d_step {
    rejected[me_] = max(rejected[me_], record.rejectedUpTo);
    if
    :: record.version != NONE && record.life != ENDED && !isOlder(me_) && record.version > rejected[me_] ->
         serve(me_, record.version, record.value)
    :: else
    fi
  }
}

/* Another process takes the place of this one. */
inline crash(me_) {
  d_step {
    attempt[me_] = NONE; atWork[me_] = false; waiting[me_] = false; subscribed[me_] = false; hint[me_] = false;
    seen[me_] = NONE; value[me_] = NONE; rejected[me_] = NONE
  }
}

inline leaveWork(me_) {
  d_step { atWork[me_] = false; attempt[me_] = NONE }
}
