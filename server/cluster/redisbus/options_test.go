package redisbus

import (
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func TestOptions(t *testing.T) {
	for _, tc := range []struct {
		url   string
		check func(*redis.UniversalOptions) bool
	}{
		{"", func(u *redis.UniversalOptions) bool { return len(u.Addrs) == 0 && u.TLSConfig == nil }},
		{"redis://user:pw@h:7000/3", func(u *redis.UniversalOptions) bool {
			return u.Addrs[0] == "h:7000" && u.DB == 3 && u.Username == "user" && u.Password == "pw" && !u.IsClusterMode
		}},
		{"rediss://h:7000", func(u *redis.UniversalOptions) bool { return u.TLSConfig != nil && u.TLSConfig.ServerName == "h" }},
		{"unix:///run/redis.sock?db=1", func(u *redis.UniversalOptions) bool { return u.Addrs[0] == "/run/redis.sock" && u.DB == 1 }},
		{"redis://h:7000?addr=h2:7001&addr=h3:7002", func(u *redis.UniversalOptions) bool { return u.IsClusterMode && len(u.Addrs) == 3 }},
		{"redis://h:26379?master_name=m&addr=h2:26379", func(u *redis.UniversalOptions) bool { return u.MasterName == "m" && len(u.Addrs) == 2 }},
		{"redis://h?read_timeout=3s", func(u *redis.UniversalOptions) bool {
			return u.ReadTimeout == 3*time.Second && u.WriteTimeout == time.Second
		}},
	} {
		u, err := Options{URL: tc.url}.redisOptions()
		if err != nil || !tc.check(u) {
			t.Errorf("%q: %+v, %v", tc.url, u, err)
			continue
		}
		if u.Protocol != 2 || u.MaxRetries != -1 {
			t.Errorf("%q: protocol %d, %d retries", tc.url, u.Protocol, u.MaxRetries)
		}
	}
	for _, url := range []string{"http://user:secret@h", "redis://user:secret@h:port", "redis://user:secret@h/x?db=y", "redis://h:1?addr=x&master_name=m&db=z"} {
		if _, err := New(Options{URL: url}); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: error %v", url, err)
		}
	}
}
