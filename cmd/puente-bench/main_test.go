package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/puente-io/puente/cmd/puente-bench/internal/load"
	"github.com/puente-io/puente/cmd/puente-bench/internal/stats"
)

func noEnv(string) string { return "" }

func TestUsageNamesEveryWorkload(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), nil, noEnv, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	for kind := range conns {
		if !strings.Contains(out.String(), "\n  "+string(kind)+" ") {
			t.Errorf("%q is missing in the usage", kind)
		}
	}
}

func TestInvalidArguments(t *testing.T) {
	for args, want := range map[string]string{
		"flood":                   `unknown workload "flood"`,
		"echo now":                `unexpected argument "now"`,
		"echo -conns x":           "invalid value",
		"publish -sizes 1,-2":     "is not a number of bytes",
		"echo -url ftp://h":       "not http, https, ws or wss",
		"echo -conns 0":           "at least one connection",
		"compare -servers apache": "unknown server",
		"compare -only nothing":   "no workload matches",
		"cluster -only nothing":   "no workload matches",
		"burst -updates -1":       "has -1 updates",
		"echo -forms text,xml":    `unknown form "xml"`,
		"polling -forms msgpack":  "only clients of the form text",
		"idle":                    "process id",
	} {
		err := run(t.Context(), strings.Fields(args), noEnv, io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", args, err, want)
		}
	}
	if err := run(t.Context(), []string{"echo", "-h"}, noEnv, io.Discard, io.Discard); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-h: got %v", err)
	}
}

func TestClusterWithoutRedisIsSkipped(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	var out, log bytes.Buffer
	if err := run(t.Context(), []string{"cluster", "-quick"}, noEnv, &out, &log); err != nil {
		t.Fatal(err)
	}
	if out.Len() > 0 || !strings.Contains(log.String(), "skipped: clusters need redis-server") {
		t.Errorf("printed %q and %q", out.String(), log.String())
	}
}

func TestTheSecretIsNotShown(t *testing.T) {
	var help bytes.Buffer
	getenv := func(string) string { return "hush-hush" }
	if err := run(t.Context(), []string{"echo", "-h"}, getenv, io.Discard, &help); !errors.Is(err, flag.ErrHelp) {
		t.Fatal(err)
	}
	if !strings.Contains(help.String(), "$JWT_SECRET") || strings.Contains(help.String(), "hush-hush") {
		t.Errorf("the help reads\n%s", help.String())
	}
}

func TestUnreachableServer(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + ln.Addr().String()
	ln.Close()
	if err := run(context.Background(), []string{"echo", "-url", url}, noEnv, io.Discard, io.Discard); !errors.Is(err, load.ErrBrokeOff) {
		t.Errorf("got %v, want ErrBrokeOff", err)
	}
}

func TestSizes(t *testing.T) {
	var s sizes
	if err := s.Set("64, 1024"); err != nil || !slices.Equal(s, sizes{64, 1024}) || s.String() != "64,1024" {
		t.Errorf("%v, %v", s, err)
	}
}

func TestPrintResult(t *testing.T) {
	var out bytes.Buffer
	err := printResult(&out, load.Result{Spec: load.Spec{Name: "echo", Conns: 3}, Messages: 12, Seconds: 2, PerSecond: 6, CPU: 1.5, RSS: 3 << 20,
		Latency: stats.Latency{P50: 0.25}})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"echo, 3 connections", "12 in 2.00 s", "p50 0.250", "µs/message  1.50", "MiB      3.0"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}
