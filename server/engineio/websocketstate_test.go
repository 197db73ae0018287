package engineio

import "testing"

// Transitions lead only to later states, every state can end, nothing follows the last
// state, and every state can be reached.
func TestTransitions(t *testing.T) {
	reached := map[connState]bool{connProbing: true}
	for was := connProbing; was <= connDead; was++ {
		for e := range numEvents {
			next := transitions[was][e]
			if next != 0 && next <= was {
				t.Errorf("event %d leads from state %d back to %d", e, was, next)
			}
			reached[next] = reached[next] || reached[was]
		}
		if next := transitions[was][eventBroken]; was != connDead && next != connDead {
			t.Errorf("state %d does not end", was)
		}
		if !reached[was] {
			t.Errorf("state %d is out of reach", was)
		}
	}
	if transitions[connDead] != [numEvents]connState{} {
		t.Error("something follows the end")
	}
	if len(transitions) != int(connDead)+1 {
		t.Errorf("the table has %d states", len(transitions))
	}
}

// The server writes its close frame once, and handles nothing that comes after the
// client's close frame, in whatever order the events come.
func TestTransitionOrders(t *testing.T) {
	for _, events := range [][]connEvent{
		{eventCloseDue, eventCloseWritten, eventClientDone},
		{eventCloseDue, eventClientDone, eventCloseWritten},
		{eventClientDone, eventCloseDue, eventCloseWritten},
		{eventClientDone, eventCloseWritten, eventCloseDue},
	} {
		state, written := connOpen, 0
		for _, e := range append(events, events...) { // each may come again
			next := transitions[state][e]
			if next == 0 {
				continue
			}
			if e == eventCloseWritten {
				written++
			}
			state = next
		}
		if state != connLingering || written != 1 {
			t.Errorf("%v: in state %d, %d close frames", events, state, written)
		}
	}
}
