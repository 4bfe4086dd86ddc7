/* SPDX-FileCopyrightText: The sotto authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The handshake of docs/e2ee-protocol.md between an honest initiator A and an honest responder B
 * (a run each), everything passing through an attacker E who is also a member under his own identity.
 * Primitives are perfect: he signs only as E, and makes a confirmation only for keys he can
 * compute. FAULT seeds a mistake that the assertions must find:
 *   1  signatures and confirmations cover the ephemeral keys only, not who talks to whom
 *   2  the responder opens the channel without looking at the finish
 *   3  the initiator checks neither signature nor confirmation
 */
#ifndef FAULT
#define FAULT 0
#endif

#define A 1
#define B 2
#define E 3
/* Ephemeral keys: A's, B's, the attacker's. */
#define EA 1
#define EB 2
#define EE 3

/* What th covers, in one byte. */
#if FAULT == 1
#define TH(i, r, ei, er) ((ei) * 4 + (er))
#else
#define TH(i, r, ei, er) ((i) * 64 + (r) * 16 + (ei) * 4 + (er))
#endif

/* ikm = DH(ei, prekey of r), DH(ei, er): he needs ei, or er and r's prekey. */
#define can_compute(r, ei, er) ((ei) == EE || ((er) == EE && (r) == E))

chan hello_of_a = [0] of { byte, byte };          /* responder, ei */
chan hello_to_b = [0] of { byte, byte };          /* initiator, ei */
chan reply_of_b = [0] of { byte, byte, byte };    /* ei, er, th: signed and confirmed by B */
chan reply_to_a = [0] of { byte, byte, byte, byte }; /* er, signer, th signed, th confirmed */
chan finish_of_a = [0] of { byte };               /* th, signed and confirmed by A */
chan finish_to_b = [0] of { byte, byte, byte, byte }; /* er, signer, th signed, th confirmed */

/* What each side believes when its channel opens. */
bool a_open = false;
byte a_peer, a_er;
bool b_answered[4];
bool a_waits = false, b_waits[4];  /* For a reply, for a finish. */
byte free_b = 1;                   /* Runs of B without a hello. */
byte b_peer[4], b_ei[4];

proctype Initiator()
{
  byte peer, er, signer, under, confirmed;
  if
  :: peer = B
  :: peer = E
  fi;
  hello_of_a ! peer, EA;
  a_waits = true;
  reply_to_a ? er, signer, under, confirmed;
#if FAULT != 3
  (signer == peer && under == TH(A, peer, EA, er) && confirmed == TH(A, peer, EA, er));
#endif
  atomic {
    a_peer = peer;
    a_er = er;
    a_open = true;
    /* Agreement: B answered this very hello, for A, with this ephemeral key. */
    assert(a_peer != B || (a_er != EA && a_er != EE && b_answered[a_er] && b_peer[a_er] == A &&
                           b_ei[a_er] == EA));
    /* Secrecy of the channel. */
    assert(a_peer != B || !can_compute(B, EA, a_er));
  }
  finish_of_a ! TH(A, peer, EA, er)
}

proctype Responder(byte er)
{
  byte peer, ei, signer, under, confirmed, got;
  hello_to_b ? peer, ei;
  atomic {
    b_answered[er] = true;
    b_peer[er] = peer;
    b_ei[er] = ei;
  }
  reply_of_b ! ei, er, TH(peer, B, ei, er);
#if FAULT != 2
  b_waits[er] = true;
  finish_to_b ? eval(er), signer, under, confirmed;
  (signer == peer && under == TH(peer, B, ei, er) && confirmed == TH(peer, B, ei, er));
#endif
  /* Agreement: A's channel is open, with B, under the same keys. */
  assert(peer != A || (a_open && a_peer == B && a_er == er && ei == EA));
  /* Secrecy of the channel. */
  assert(peer != A || !can_compute(B, ei, er))
}

proctype Attacker()
{
  byte peer, ei, er, th, i;
  byte signer, under, confirmed;
  bool heard_a = false;
  byte signed_by_b = 255, signed_by_a = 255;  /* What he overheard; 255: nothing. */
  end: do
  :: atomic { hello_of_a ? peer, ei -> heard_a = true; peer = 0; ei = 0 }
  :: atomic {
       reply_of_b ? ei, er, th -> signed_by_b = th;
       ei = 0; er = 0; th = 0
     }
  :: atomic { finish_of_a ? th -> signed_by_a = th; th = 0 }
  :: atomic {
       free_b > 0 -> free_b--;
       if :: i = A :: i = E fi;
       if :: heard_a -> ei = EA :: ei = EB :: ei = EE fi;
       hello_to_b ! i, ei;
       i = 0; ei = 0
     }
  :: atomic {
       a_waits -> a_waits = false;
       if :: er = EB :: er = EE fi;
       /* A signature: overheard, or his own. */
       if
       :: signer = B; under = signed_by_b
       :: signer = E; under = TH(A, E, EA, er)
       :: signer = A; under = signed_by_a
       fi;
       /* A confirmation: overheard, or of keys he can compute. */
       if
       :: confirmed = signed_by_b
       :: can_compute(E, EA, er) -> confirmed = TH(A, E, EA, er)
       :: can_compute(B, EA, er) -> confirmed = TH(A, B, EA, er)
       :: confirmed = 255
       fi;
       reply_to_a ! er, signer, under, confirmed;
       er = 0; signer = 0; under = 0; confirmed = 0
     }
  :: atomic {
       b_waits[EB] -> er = EB;
       b_waits[er] = false;
       if :: ei = EA :: ei = EB :: ei = EE fi;
       if
       :: signer = A; under = signed_by_a
       :: signer = E; under = TH(E, B, ei, er)
       fi;
       if
       :: confirmed = signed_by_a
       :: can_compute(B, ei, er) -> confirmed = TH(E, B, ei, er)
       :: can_compute(B, ei, er) -> confirmed = TH(A, B, ei, er)
       :: confirmed = 255
       fi;
       finish_to_b ! er, signer, under, confirmed;
       er = 0; ei = 0; signer = 0; under = 0; confirmed = 0
     }
  od
}

init
{
  atomic {
    run Attacker();
    run Initiator();
    run Responder(EB)
  }
}
