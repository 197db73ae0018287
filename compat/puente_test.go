package compat_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/puente-io/puente/server/engineio"
	"github.com/puente-io/puente/server/waittest"
)

func TestMain(m *testing.M) { os.Exit(waittest.Run(m)) }

// TestPuente replays the transcripts against Puente.
func TestPuente(t *testing.T) {
	replayAll(t, target{differs: true, start: startPuente})
}

// startPuente starts a server of record/server.js, in Go.
func startPuente(t *testing.T, kind, options string) string {
	var o nodeOptions
	if err := json.Unmarshal([]byte(options), &o); err != nil {
		t.Fatalf("options: %v", err)
	}
	if kind == "engine.io" {
		return serveEngine(t, o)
	}
	return serveSocketIO(t, o)
}

// nodeOptions are the options of a transcript, by Node's names. Times are in milliseconds.
type nodeOptions struct {
	PingInterval, PingTimeout, UpgradeTimeout, ConnectTimeout int
	MaxHTTPBufferSize, HTTPRequestBodyTimeout                 int
	Transports                                                []string
	AllowEIO3                                                 bool
	AllowUpgrades, HTTPCompression, ServeClient               *bool
	Path                                                      string
	Refuse                                                    *string
	PerMessageDeflate, Cookie                                 json.RawMessage
	ConnectionStateRecovery                                   struct {
		MaxDisconnectionDuration int
		SkipMiddlewares          *bool
	}
	CORS *struct {
		Origin                                  json.RawMessage
		Methods, AllowedHeaders, ExposedHeaders []string
		Credentials                             bool
		MaxAge                                  int
	}
}

func millis(n int) time.Duration { return time.Duration(n) * time.Millisecond }

func off(b *bool) bool { return b != nil && !*b }

// engine converts the options to those of package engineio.
func (o nodeOptions) engine(t *testing.T) engineio.Options {
	e := engineio.Options{
		PingInterval:      millis(o.PingInterval),
		PingTimeout:       millis(o.PingTimeout),
		UpgradeTimeout:    millis(o.UpgradeTimeout),
		BodyTimeout:       millis(o.HTTPRequestBodyTimeout),
		MaxHTTPBufferSize: o.MaxHTTPBufferSize,
		AllowProtocol3:    o.AllowEIO3,
		DisableUpgrades:   off(o.AllowUpgrades),
		Cookie:            o.cookie(t),
		CORS:              o.cors(t),
	}
	if o.Transports != nil {
		all := strings.Join(o.Transports, " ")
		e.DisablePolling = !strings.Contains(all, "polling")
		e.DisableWebSocket = !strings.Contains(all, "websocket")
	}
	if off(o.HTTPCompression) {
		e.CompressionThreshold = -1
	}
	switch string(o.PerMessageDeflate) {
	case "", "false":
	case "true":
		e.PerMessageDeflate = true
	default:
		var d struct{ Threshold int }
		if err := json.Unmarshal(o.PerMessageDeflate, &d); err != nil {
			t.Fatalf("perMessageDeflate: %v", err)
		}
		e.PerMessageDeflate, e.PerMessageDeflateThreshold = true, d.Threshold
	}
	if o.Refuse != nil {
		e.AllowRequest = func(*http.Request) error {
			if *o.Refuse == "" {
				return context.Canceled // any error that is not a Refusal
			}
			return &engineio.Refusal{Message: *o.Refuse}
		}
	}
	return e
}

func (o nodeOptions) cookie(t *testing.T) *http.Cookie {
	switch string(o.Cookie) {
	case "", "false":
		return nil
	case "true":
		return &http.Cookie{Name: "io", Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode}
	}
	var c struct {
		Name, Path, SameSite, Domain string
		HTTPOnly, Secure             bool
		MaxAge                       int
	}
	if err := json.Unmarshal(o.Cookie, &c); err != nil {
		t.Fatalf("cookie: %v", err)
	}
	sameSite := map[string]http.SameSite{"strict": http.SameSiteStrictMode, "lax": http.SameSiteLaxMode}[c.SameSite]
	return &http.Cookie{
		Name: c.Name, Path: c.Path, Domain: c.Domain, MaxAge: c.MaxAge,
		HttpOnly: c.HTTPOnly, Secure: c.Secure, SameSite: sameSite,
	}
}

func (o nodeOptions) cors(t *testing.T) *engineio.CORS {
	if o.CORS == nil {
		return nil
	}
	c := &engineio.CORS{
		Methods: o.CORS.Methods, AllowedHeaders: o.CORS.AllowedHeaders, ExposedHeaders: o.CORS.ExposedHeaders,
		Credentials: o.CORS.Credentials, MaxAge: time.Duration(o.CORS.MaxAge) * time.Second,
	}
	var one string
	switch {
	case string(o.CORS.Origin) == "true":
		c.AllowOrigin = func(string) bool { return true }
	case json.Unmarshal(o.CORS.Origin, &one) == nil:
		c.Origins = []string{one}
	default:
		if err := json.Unmarshal(o.CORS.Origin, &c.Origins); err != nil {
			t.Fatalf("cors.origin: %v", err)
		}
	}
	return c
}

// serveEngine starts the echo server of the engine.io transcripts.
func serveEngine(t *testing.T, o nodeOptions) string {
	engine := engineio.New(o.engine(t), func(*engineio.Session, *http.Request) engineio.Handler {
		return engineio.HandlerFuncs{Message: func(s *engineio.Session, data []byte, binary bool) {
			switch {
			case string(data) == "farewell":
				s.Send(engineio.TextFrame([]byte("goodbye")))
				s.Close()
			case binary:
				s.Send(engineio.BinaryFrame(data))
			default:
				s.Send(engineio.TextFrame(data))
			}
		}}
	})
	return serve(t, "/engine.io/", engine, engine.Close)
}

// serve starts an HTTP server with one path, and stops it and the handler when the test ends.
func serve(t *testing.T, path string, h http.Handler, stop func(context.Context) error) string {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, path) {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), answerTimeout)
		defer cancel()
		if err := stop(ctx); err != nil {
			t.Errorf("stopping the server: %v", err)
		}
		srv.Close()
	})
	return strings.TrimPrefix(srv.URL, "http://")
}
