/*
 * What must hold of the record whatever happens: each operation is held against the record as it was before it. Nothing that the operations
 * decide depends on anything here but `highestGranted`, which is the reading of a clock that is right.
 */
unsigned highestGranted : 5;
bool dataLost;

/* Scratch of one atomic step, no part of a state. */
hidden Record before;
hidden byte isRepeat;

#define isUnchanged ( \
  before.fence == record.fence && before.rejectedUpTo == record.rejectedUpTo && before.version == record.version && \
  before.publishedBy == record.publishedBy && before.value == record.value && before.life == record.life && \
  before.quiet == record.quiet && before.backoff == record.backoff && isLeaseUnchanged)
#define isLeaseUnchanged ( \
  before.owner == record.owner && before.leaseFence == record.leaseFence && before.leaseLive == record.leaseLive && \
  before.takeover == record.takeover)

inline noteBefore() {
  d_step { copyRecord(before, record) }
}

inline noteAfter(attempt_) {
  d_step {
    /* "the stored version never decreases" */
    assert(record.version >= before.version);
    /* "after a publication is accepted none with the same or a lower fence is" */
    assert(record.version > before.version || record.publishedBy == before.publishedBy && record.value == before.value);
    /* "rejections and fences never go back" */
    assert(record.rejectedUpTo >= before.rejectedUpTo && record.fence >= before.fence);
    /* "nobody but its owner releases or changes a live lease" */
    assert(!before.leaseLive || before.owner == attempt_ || isLeaseUnchanged);
    /* "an operation that was carried out before changes nothing when it is carried out again" */
    assert(!isRepeat || isUnchanged);
#ifdef ROTATES
    /* "a login is not replaced by the renewal of the one before", data loss aside */
    assert(loginOf(record.value) >= loginOf(before.value) || dataLost);
    /* "no secret that was sent to the upstream is stored after that", data loss aside */
    assert(record.version == before.version || record.value > sent[loginOf(record.value)] || dataLost);
#endif
    /* the numbers of the model suffice */
    assert(record.fence < MOST)
  }
}

inline noteGrant(fence_, seen_, rejected_) {
  /* "a grant is above all that its claimer has seen or knows to be rejected" */
  assert(fence_ > seen_ && fence_ > rejected_);
  /* "a later grant has the higher fence", after a loss of data as long as the clock is right, else as long as the record is there */
  assert(fence_ > highestGranted || dataLost && clockStepped);
  highestGranted = max(highestGranted, fence_)
}
