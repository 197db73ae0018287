package engine_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/puente-io/puente/compat/zishang520/config"
	"github.com/puente-io/puente/compat/zishang520/engine"
	"github.com/puente-io/puente/compat/zishang520/types"
	"github.com/puente-io/puente/compat/zishang520/utils"
)

// request sends a request to the endpoint and returns the status and the body.
func request(t *testing.T, srv *httptest.Server, method, query, body string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, srv.URL+"/engine.io/?EIO=4&transport=polling"+query, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := srv.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

// open opens a session and returns its id.
func open(t *testing.T, srv *httptest.Server) string {
	t.Helper()
	_, text := request(t, srv, "GET", "", "")
	_, sid, _ := strings.Cut(text, `"sid":"`)
	sid, _, ok := strings.Cut(sid, `"`)
	if !ok {
		t.Fatalf("no session in %q", text)
	}
	return sid
}

func TestSession(t *testing.T) {
	e := engine.NewServer(nil)
	defer e.Close()
	messages, closed := make(chan any, 2), make(chan any, 1)
	e.On("connection", func(args ...any) {
		s := args[0].(engine.Socket)
		s.Send(strings.NewReader("text"), nil, nil).Send(types.NewBytesBuffer([]byte{1, 2}), nil, nil)
		s.On("message", func(args ...any) { messages <- args[0] })
		s.Once("close", func(args ...any) { closed <- args[0] })
		if r := s.Request(); r.Query().Peek("x") != "1" && r.Query().Peek("EIO") != "4" {
			t.Errorf("query %v", r.Query().All())
		}
	})
	srv := httptest.NewServer(e)
	defer srv.Close()
	sid := open(t, srv)
	if s, ok := e.Clients().Load(sid); !ok || s.ReadyState() != "open" || s.Transport().Name() != "polling" || e.ClientsCount() != 1 {
		t.Errorf("clients %v", e.Clients().Keys())
	}
	if _, text := request(t, srv, "GET", "&sid="+sid, ""); text != "4text\x1ebAQI=" {
		t.Errorf("polled %q", text)
	}
	request(t, srv, "POST", "&sid="+sid, "4hello\x1ebAP8=")
	if got, ok := (<-messages).(*types.StringBuffer); !ok || got.String() != "hello" {
		t.Errorf("got %v", got)
	}
	if got, ok := (<-messages).(*types.BytesBuffer); !ok || string(got.Bytes()) != "\x00\xff" {
		t.Errorf("got %v", got)
	}
	request(t, srv, "POST", "&sid="+sid, "1")
	if reason := <-closed; reason != "transport close" {
		t.Errorf("closed: %v", reason)
	}
	if n := e.Clients().Len(); n != 0 {
		t.Errorf("%d clients", n)
	}
}

func TestRefusals(t *testing.T) {
	opts := config.DefaultServerOptions()
	opts.SetAllowRequest(func(ctx *types.HttpContext) error {
		if ctx.Query().Has("forbid") {
			return errors.New("go away")
		}
		return nil
	})
	e := engine.New(opts)
	defer e.Close()
	var refused []types.CodeMessage
	e.On("connection_error", func(args ...any) { refused = append(refused, *args[0].(*types.ErrorMessage).CodeMessage) })
	e.Use(func(ctx *types.HttpContext, next func(error)) {
		switch {
		case ctx.Query().Has("fail"):
			next(errors.New("no"))
		case ctx.Query().Has("answer"):
			ctx.SetStatusCode(http.StatusTeapot)
			ctx.Write([]byte("mine"))
		default:
			next(nil)
		}
	})
	srv := httptest.NewServer(e)
	defer srv.Close()
	for _, tc := range []struct {
		query  string
		status int
		body   string
	}{
		{"&sid=unknown", 400, `{"code":1,"message":"Session ID unknown"}`},
		{"&forbid=1", 403, `{"code":4,"message":"go away"}`},
		{"&fail=1", 400, `{"code":3,"message":"Bad request"}`},
		{"&answer=1", http.StatusTeapot, "mine"},
	} {
		resp, body := request(t, srv, "GET", tc.query, "")
		if resp.StatusCode != tc.status || strings.TrimSpace(body) != tc.body {
			t.Errorf("%s: %d %s", tc.query, resp.StatusCode, body)
		}
	}
	if len(refused) != 3 || refused[0].Code != 1 || refused[1].Message != "go away" || refused[2].Code != 3 {
		t.Errorf("refused %v", refused)
	}
}

func TestHeaders(t *testing.T) {
	hs := types.NewWebServer(nil)
	opts := config.DefaultServerOptions()
	opts.SetCookie(&http.Cookie{Name: "io"})
	e := engine.New(hs, opts)
	e.On("initial_headers", func(args ...any) { args[0].(*utils.ParameterBag).Set("x-first", "1") })
	e.On("headers", func(args ...any) { args[0].(*utils.ParameterBag).Set("x-every", "2") })
	srv := httptest.NewServer(hs)
	defer srv.Close()
	defer hs.Close(nil)
	resp, text := request(t, srv, "GET", "", "")
	if h := resp.Header; h.Get("X-First") != "1" || h.Get("X-Every") != "2" || !strings.HasPrefix(h.Get("Set-Cookie"), "io=") {
		t.Errorf("headers %v, body %s", h, text)
	}
	resp, _ = request(t, srv, "POST", "&sid="+resp.Cookies()[0].Value, "4x")
	if h := resp.Header; h.Get("X-First") != "" || h.Get("X-Every") != "2" {
		t.Errorf("headers %v", h)
	}
}

// A client of Socket.IO 2 speaks protocol 3, and its socket says so.
func TestProtocol(t *testing.T) {
	opts := config.DefaultServerOptions()
	opts.SetAllowEIO3(true)
	server := engine.NewServer(opts)
	defer server.Close()
	protocols := make(chan int, 1)
	server.On("connection", func(args ...any) { protocols <- args[0].(engine.Socket).Protocol() })
	srv := httptest.NewServer(server)
	defer srv.Close()
	for _, want := range []int{3, 4} {
		resp, err := srv.Client().Get(srv.URL + "/engine.io/?transport=polling&EIO=" + strconv.Itoa(want))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := <-protocols; got != want {
			t.Errorf("protocol %d, want %d", got, want)
		}
	}
}
