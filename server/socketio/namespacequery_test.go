package socketio

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/puente-io/puente/server/socketio/packet"
)

// FuzzSplitNamespace: whatever a client of protocol 3 writes for a namespace, auth is an
// object of texts, and the name has no query.
func FuzzSplitNamespace(f *testing.F) {
	for _, s := range []string{"/", "/a", "/a?token=x&u=1", "/a?token=x&token=y#z", "/?", "/a#b?c", "/a?%", "/a?\xff=%ff&=&&", "/a?__proto__=1", "/a??=?", "/a?\xff&\xab"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		p := packet.Packet{Type: packet.Connect, Namespace: name, Data: []byte(`{"ignored":1}`)}
		splitNamespace(&p)
		if !strings.HasPrefix(name, p.Namespace) || strings.ContainsAny(p.Namespace, "?#") {
			t.Errorf("%q became %q", name, p.Namespace)
		}
		if p.Data != nil && (!jsontext.Value(p.Data).IsValid() || p.Data[0] != '{') {
			t.Errorf("%q: auth %q", name, p.Data)
		}
		event := packet.Packet{Type: packet.Event, Namespace: name, Data: []byte(`["e"]`)}
		splitNamespace(&event)
		if event.Namespace != p.Namespace || string(event.Data) != `["e"]` {
			t.Errorf("%q: an event became %+v", name, event)
		}
	})
}
