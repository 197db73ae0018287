package config_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/puente-io/puente/server/config"
)

func TestDefault(t *testing.T) {
	if got, want := config.Default(), must(t, env{}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	c := config.Default()
	if !c.NeedsSecret() {
		t.Error("a node without a key needs no secret")
	}
	if c.JWTSecret = config.NewSecret("of the program"); c.NeedsSecret() {
		t.Error("a node with a secret of the program needs another")
	}
}

func TestFromEnv(t *testing.T) {
	t.Setenv("HTTP_PORT", "7")
	t.Setenv("WS_RATE_LIMTI", "5")
	c, err := config.FromEnv()
	if err != nil || c.HTTPPort != 7 {
		t.Fatalf("%d, %v", c.HTTPPort, err)
	}
	if all := strings.Join(c.Warnings(), "\n"); !strings.Contains(all, "WS_RATE_LIMTI") {
		t.Errorf("warnings %q", all)
	}
	t.Setenv("HTTP_PORT", "x")
	if _, err := config.FromEnv(); !errors.Is(err, config.ErrUsage) || !strings.Contains(err.Error(), "HTTP_PORT") {
		t.Errorf("%v", err)
	}
}
