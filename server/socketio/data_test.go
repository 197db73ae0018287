package socketio_test

import (
	"errors"
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/puente-io/puente/server/socketio"
	"github.com/puente-io/puente/server/socketio/adapter"
	"github.com/puente-io/puente/server/socketio/socketiotest"
)

// Other servers get a socket's data in the form that it would have as an argument of Emit.
func TestSocketData(t *testing.T) {
	cluster := adapter.NewMemory()
	a, b := serve(t, socketio.Options{Adapter: cluster.Factory()}), serve(t, socketio.Options{Adapter: cluster.Factory()})
	_, s := pair(t, a, socketiotest.Options{})
	fetched := func() string {
		t.Helper()
		list, err := b.IO.Namespace("/").All().FetchSockets(t.Context())
		if err != nil || len(list) != 1 {
			t.Fatalf("%v, %v", list, err)
		}
		return string(list[0].Data)
	}
	if got := fetched(); got != `{}` || s.Data() != nil {
		t.Errorf("at first: %s, %v", got, s.Data())
	}
	for _, tc := range []struct {
		data any
		want string
	}{
		{map[string]any{"n": 1}, `{"n":1}`},
		{socketio.Value{JSON: []byte(`{"a": [1.50]}`)}, `{"a": [1.50]}`},
		{&struct {
			At   time.Time      `json:"at"`
			Part socketio.Value `json:"part"`
		}{time.UnixMilli(0), socketio.Value{JSON: []byte(`"x"`)}}, `{"at":"1970-01-01T00:00:00.000Z","part":"x"}`},
		{"text", `"text"`},
		{nil, `{}`},
	} {
		if err := s.SetData(tc.data); err != nil || !reflect.DeepEqual(s.Data(), tc.data) {
			t.Errorf("%v: %v, %v", tc.data, s.Data(), err)
		}
		if got := fetched(); got != tc.want {
			t.Errorf("%v: fetched %s, want %s", tc.data, got, tc.want)
		}
	}
	if err := s.SetData("good"); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []any{make(chan int), math.NaN(), map[string]any{"f": func() {}}, []byte("binary"),
		socketio.Value{JSON: []byte(`{"_placeholder":true,"num":0}`), Attachments: [][]byte{{1}}}} {
		if err := s.SetData(bad); !errors.Is(err, socketio.ErrEncode) || s.Data() != "good" || fetched() != `"good"` {
			t.Errorf("%T: %v, data %v, fetched %s", bad, err, s.Data(), fetched())
		}
	}
}

// A program may change its data in place, as programs on Node do: this is no data race,
// and other servers see the change after the next SetData.
func TestSocketDataChangedInPlace(t *testing.T) {
	srv := serve(t, socketio.Options{})
	_, s := pair(t, srv, socketiotest.Options{})
	data := map[string]int{"n": 0}
	if err := s.SetData(data); err != nil {
		t.Fatal(err)
	}
	fetch := func() string {
		list, _ := srv.IO.Namespace("/").All().FetchSockets(t.Context())
		return string(list[0].Data)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 1000 {
			fetch()
		}
	}()
	for range 100_000 {
		data["n"]++
	}
	<-done
	if got := fetch(); got != `{"n":0}` {
		t.Errorf("before it is set again: %s", got)
	}
	if err := s.SetData(data); err != nil || fetch() != `{"n":100000}` {
		t.Errorf("%s, %v", fetch(), err)
	}
}

// A RemoteSocket stands for one socket. It has no method To, which would reach other
// sockets too.
func TestRemoteSocketIsOne(t *testing.T) {
	srv := serve(t, socketio.Options{})
	ns := srv.IO.Namespace("/")
	one, s := pair(t, srv, socketiotest.Options{})
	other := dial(t, srv)
	list, err := ns.To(s.ID()).FetchSockets(t.Context())
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	r := list[0]
	for _, name := range []string{"To", "Except", "Local", "FetchSockets"} {
		if _, ok := reflect.TypeOf(r).MethodByName(name); ok {
			t.Errorf("RemoteSocket.%s", name)
		}
	}
	s.SetData(map[string]int{"n": 7})
	again, _ := ns.To(s.ID()).FetchSockets(t.Context())
	var before, data struct {
		N int `json:"n"`
	}
	if err := errors.Join(r.DecodeData(&before), again[0].DecodeData(&data)); err != nil || before.N != 0 || data.N != 7 {
		t.Errorf("DecodeData: %v, %v, %v", before, data, err)
	}
	if err := r.DecodeData(new(int)); !errors.Is(err, socketio.ErrDecode) {
		t.Errorf("an object into an int: %v", err)
	}
	go func() { one.Ack(one.Expect("ask"), "yes") }()
	answers, err := r.EmitWithAck(t.Context(), "ask")
	if err != nil || len(answers) != 1 {
		t.Errorf("EmitWithAck: %v, %v", answers, err)
	}
	if err := errors.Join(r.Join(t.Context(), "x"), r.Emit(t.Context(), "hello"), ns.Emit(t.Context(), "all")); err != nil || !s.In("x") {
		t.Errorf("%v, rooms %q", err, s.Rooms())
	}
	one.Expect("hello")
	if e := other.Expect("all"); len(e.Args) != 0 {
		t.Errorf("%s", e.Args)
	}
	if err := r.Leave(t.Context(), "x"); err != nil || slices.Contains(s.Rooms(), "x") {
		t.Errorf("%v, rooms %q", err, s.Rooms())
	}
	if err := r.Disconnect(t.Context(), false); err != nil {
		t.Error(err)
	}
	one.Expect("all")
	one.ExpectDisconnect()
}
