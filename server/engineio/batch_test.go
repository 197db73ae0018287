package engineio

import (
	"testing"

	"github.com/puente-io/puente/server/engineio/engineiotest"
)

// What was added before f panics is written, and no session stays in the flusher's line.
func TestBatchPanics(t *testing.T) {
	e := quiet(t, Options{}, false)
	c, r := e.dial(t, false)
	func() {
		defer func() {
			if v := recover(); v != "on purpose" {
				t.Errorf("recovered %v", v)
			}
		}()
		e.Batch(func(b *Batch) {
			b.Add(r.session, NewMessage(TextFrame([]byte("added"))))
			panic("on purpose")
		})
	}()
	if got := c.Text(); got != "added" {
		t.Errorf("got %q", got)
	}
}

// A batch closes the sessions whose queues it made too long, after f has returned and even
// if nobody calls Wait. Other sessions of the batch are not affected.
func TestBatchOverrun(t *testing.T) {
	e := quiet(t, Options{MaxBacklogBytes: 1000}, false)
	_, r := open(t, e)
	c := engineiotest.Dial(t, e.url, engineiotest.Options{})
	other := e.next(t)
	big := TextFrame(make([]byte, 5000))
	e.Batch(func(b *Batch) {
		if err := b.Add(r.session, NewMessage(big)); err != nil {
			t.Errorf("the frame that goes beyond the bound: %v", err)
		}
		if err := b.Add(r.session, NewMessage(big)); err != ErrSlowConsumer {
			t.Errorf("the next: %v", err)
		}
		if !r.session.Open() {
			t.Error("the session is closed before f has returned")
		}
		b.Add(other.session, NewMessage(TextFrame([]byte("hi"))))
	})
	if got := r.reason(t); got != ReasonSlowConsumer {
		t.Errorf("reason %q", got)
	}
	if got := c.Text(); got != "hi" {
		t.Errorf("the other got %q", got)
	}
	e.Batch(func(b *Batch) {
		if err := b.Add(r.session, NewMessage(big)); err != ErrClosed {
			t.Errorf("after the end: %v", err)
		}
	})
}
