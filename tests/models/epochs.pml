/* SPDX-FileCopyrightText: The sotto authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Epochs of docs/e2ee-protocol.md: the sender A, the member B who was there before, and one in the
 * attacker's hand: G, whom the server may show to whom it likes. It shows A and B any rosters and
 * delivers B's statements late or never; those of G are there at once, which is the most he can do.
 * Signatures and channels are perfect (handshake.pml). FAULT seeds a mistake that the assertions
 * must find:
 *   1  a leave makes no new key
 *   2  a newcomer gets the key on his own statement
 *   3  whoever is in the newest roster gets the key, though he was not in its epoch
 *   4  the key of the last epoch is taken again
 *   5  a statement does not say of which epoch it is
 *   6  the rosters in statements are not compared
 *   7  a member number that was given back is taken again
 *   8  who was confirmed later gets keys of the time before
 */
#ifndef FAULT
#define FAULT 0
#endif

#define EPOCHS 3
/* Bits of a roster (A and B are in each), and of who stated and who knows. */
#define G 1
#define OF_B 2

byte shown_a[EPOCHS + 1], shown_b[EPOCHS + 1];  /* Rosters. */
byte made = 0;            /* Epochs; A hears of each at once. */
byte at_b = 0;            /* The newest one that B heard of. */
byte left = 0;            /* A was shown that he left: it refuses rosters in which he is back. */

byte same[EPOCHS + 1];    /* Who stated what A was shown. */
byte heard[EPOCHS + 1];   /* Whether B's statement came, whatever it said. */
byte since = 0;           /* The first epoch that confirmed G; B is from the beginning. */
byte pending = 0, in_use = 0, last = 0;
byte key_of[EPOCHS + 1];  /* The key A made in an epoch. */
byte keys = 0;
byte known[EPOCHS + 2];   /* Who knows a key. */
bool used[EPOCHS + 2];    /* The key has belonged to an epoch. */

#if FAULT == 8
#define confirmed(e) (since != 0)
#else
#define confirmed(e) (since != 0 && since <= (e))
#endif
#define unanimous(e) (same[e] == (shown_a[e] | OF_B))

#if FAULT == 3
#define may_have(e) ((shown_a[made] & G) && (confirmed(made) || unanimous(made)))
#elif FAULT == 2
#define may_have(e) ((shown_a[made] & G) && (same[e] & G))
#else
#define may_have(e) \
  ((shown_a[made] & G) && (same[e] & G) && (confirmed(e) || unanimous(e)))
#endif

/* When A is through with the newest epoch, nobody outside of it knows the key in use. */
inline look()
{
  assert(!(in_use != 0 && in_use == made && pending == 0) ||
         (known[key_of[in_use]] & ~shown_a[in_use] & G) == 0)
}

proctype Network()
{
  byte a, b, e, f;
  do
  :: atomic {
       made < EPOCHS ->
       select (a : 0 .. G);
       select (b : 0 .. G);
#if FAULT != 7
       a = a & ~left;
#endif
       left = left | (shown_a[made] & ~a);
       made++;
       shown_a[made] = a;
       shown_b[made] = b;
       same[made] = a;
       if
       :: !(a & G) -> since = 0
       :: else
       fi;
#if FAULT == 1
       if
       :: in_use != 0 && in_use == made - 1 && (shown_a[in_use] & ~a) != 0 ->
          key_of[made] = key_of[in_use];
          in_use = made;
          last = made
       :: else
       fi;
#endif
       look();
       a = 0;
       b = 0
     }
  :: atomic {
       made > 0 ->
       select (e : 1 .. made);
       if
       :: !heard[e] ->
          f = e;
#if FAULT == 5
          select (f : 1 .. e);
#endif
          if
          :: at_b < f -> at_b = f
          :: else
          fi;
          heard[e] = true;
          if
#if FAULT == 6
          :: true -> same[e] = same[e] | OF_B
#endif
          :: shown_b[f] == shown_a[e] -> same[e] = same[e] | OF_B
          :: else
          fi;
          if
          :: unanimous(e) ->
             if
             :: (shown_a[e] & shown_a[made] & G) && (since == 0 || since > e) -> since = e
             :: else
             fi
          :: else
          fi
       :: else
       fi;
       e = 0;
       f = 0
     }
  :: made == EPOCHS && heard[1] && heard[2] && heard[3] -> break
  od
}

proctype Sender()
{
  byte e, k;
  bool seen;
  do
  :: atomic {
       pending == 0 && last < made ->
#if FAULT == 4
       if
       :: keys == 0 -> keys++
       :: else
       fi;
#else
       keys++;
#endif
       pending = made;
       last = made;
       assert(key_of[pending] == 0 && !used[keys]);  /* no key reuse */
       key_of[pending] = keys;
       used[keys] = true
     }
  :: atomic {
       if
       :: pending != 0 -> e = pending
       :: in_use != 0 -> e = in_use
       fi;
       if
       :: !(known[key_of[e]] & G) && may_have(e) ->
          assert(shown_a[e] & G);  /* secrecy: no key of an epoch one was not in */
          k = e;
          do
          :: k >= 1 && (shown_a[k] & G) ->
             if
             :: at_b >= k && (shown_b[k] & G) -> seen = true
             :: else
             fi;
             k--
          :: else -> break
          od;
          assert(seen);  /* no ghost: B was shown him too, while he was there */
          known[key_of[e]] = known[key_of[e]] | G
       :: else
       fi;
       e = 0;
       k = 0;
       seen = false;
       look()
     }
  :: atomic {
       if
       :: pending != 0 -> e = pending
       :: in_use != 0 -> e = in_use
       fi;
       if
       :: !(known[key_of[e]] & OF_B) && (same[e] & OF_B) ->
          assert(shown_a[e] == shown_b[e]);  /* agreement: under this key both see the same */
          known[key_of[e]] = known[key_of[e]] | OF_B
       :: else
       fi;
       e = 0
     }
  :: atomic { pending != 0 -> in_use = pending; pending = 0; look() }
  :: made == EPOCHS && in_use == EPOCHS -> break
  od
}

init
{
  atomic {
    run Network();
    run Sender()
  }
}
