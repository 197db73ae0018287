package server

import (
	"errors"
	"fmt"
	"net/url"

	"github.com/redis/go-redis/v9"
)

// newRedisClient returns a client for presence: with short timeouts, without
// repetitions, and with RESP2, since releases of the library have lost messages
// with RESP3. What the URL says of timeouts holds. Errors do not repeat the URL,
// which may have a password.
func newRedisClient(text string) (redis.UniversalClient, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("server: REDIS_URL: not a URL")
	}
	q := u.Query()
	q.Set("protocol", "2")
	q.Set("max_retries", "-1")
	for _, timeout := range []string{"dial_timeout", "read_timeout", "write_timeout"} {
		if !q.Has(timeout) {
			q.Set(timeout, "1s")
		}
	}
	u.RawQuery = q.Encode()
	client, err := openRedis(u.String(), q)
	if err != nil {
		return nil, fmt.Errorf("server: REDIS_URL: %w", withoutURL(err))
	}
	return client, nil
}

func openRedis(text string, q url.Values) (redis.UniversalClient, error) {
	switch {
	case q.Has("master_name"):
		o, err := redis.ParseFailoverURL(text)
		if err != nil {
			return nil, err
		}
		o.DialerRetries, o.ContextTimeoutEnabled, o.DisableIdentity = 1, true, true
		return redis.NewFailoverClient(o), nil
	case q.Has("addr"):
		o, err := redis.ParseClusterURL(text)
		if err != nil {
			return nil, err
		}
		o.DialerRetries, o.ContextTimeoutEnabled, o.DisableIdentity = 1, true, true
		return redis.NewClusterClient(o), nil
	default:
		o, err := redis.ParseURL(text)
		if err != nil {
			return nil, err
		}
		o.DialerRetries, o.ContextTimeoutEnabled, o.DisableIdentity = 1, true, true
		return redis.NewClient(o), nil
	}
}

func withoutURL(err error) error {
	if ue := (*url.Error)(nil); errors.As(err, &ue) {
		return ue.Err
	}
	return err
}
