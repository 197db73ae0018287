package redisadapter

import (
	"strings"
	"testing"
)

func TestOptions(t *testing.T) {
	for _, o := range []Options{{Mode: 2}, {Subscriptions: 3}} {
		if _, err := New(o); err == nil {
			t.Errorf("New accepts %+v", o)
		}
	}
	if _, err := New(Options{URL: "http://user:secret@h"}); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("with an invalid URL: error %v", err)
	}
}
