package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
)

const (
	// jwksFloor is the minimum time between two fetches, whatever key ids tokens name.
	jwksFloor = 10 * time.Second
	// jwksRefresh is the age above which a used set is fetched again in the
	// background.
	jwksRefresh = 10 * time.Minute
	// jwksExpiry is the age above which a set is no longer trusted: the issuer may
	// have revoked keys while it could not be reached.
	jwksExpiry = 24 * time.Hour

	jwksTimeout  = 10 * time.Second
	jwksMaxBytes = 1 << 20
	jwksMaxKeys  = 100 // each may be tried for a token without a key id
)

// keySet caches the keys at a URL. After the first fetch only lookup starts fetches,
// at most one at a time and one every jwksFloor, so an unused set costs nothing.
type keySet struct {
	url     string
	client  *http.Client
	onError func(error)

	ctx    context.Context // done when the set is closed
	cancel context.CancelFunc
	wg     sync.WaitGroup // the fetch in progress

	mu        sync.Mutex
	closed    bool
	keys      []key
	fetched   time.Time     // when the last successful fetch ended
	attempted time.Time     // when the last fetch started
	err       error         // of the last fetch
	flight    chan struct{} // closed when the fetch in progress ends; nil: there is none
}

// fetchError is ErrUnavailable with a cause.
type fetchError struct{ cause error }

func (e *fetchError) Error() string   { return fmt.Sprintf("%v: %v", ErrUnavailable, e.cause) }
func (e *fetchError) Unwrap() []error { return []error{ErrUnavailable, e.cause} }

func newKeySet(address string, client *http.Client, onError func(error)) (*keySet, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("auth: JWKS URL is not an http or https URL") // the URL is not quoted: it may contain a password
	}
	if client == nil {
		client = &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true}}
	}
	s := &keySet{url: address, client: client, onError: onError}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.startFetch()
	return s, nil
}

func (s *keySet) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.wg.Wait()
}

// lookup returns the keys with the id and the algorithm, fetching the set if it has
// none. It fails with errUnknownKey or a fetchError.
func (s *keySet) lookup(ctx context.Context, id, alg string) ([]jwt.VerificationKey, error) {
	s.mu.Lock()
	found := s.usable(id, alg)
	var flight <-chan struct{}
	if len(found) == 0 || time.Since(s.fetched) > jwksRefresh {
		flight = s.startFetch()
	}
	s.mu.Unlock()
	if len(found) > 0 {
		return found, nil
	}
	if flight != nil {
		select {
		case <-flight:
		case <-ctx.Done():
			return nil, &fetchError{context.Cause(ctx)}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if found = s.usable(id, alg); len(found) > 0 {
		return found, nil
	}
	if s.err != nil {
		return nil, &fetchError{s.err}
	}
	return nil, errUnknownKey
}

// usable returns the cached keys with the id and the algorithm, unless the set has
// expired. mu must be held.
func (s *keySet) usable(id, alg string) []jwt.VerificationKey {
	if time.Since(s.fetched) > jwksExpiry {
		return nil
	}
	return candidates(s.keys, id, alg)
}

// startFetch starts a fetch unless one is in progress. It returns a channel that is
// closed when the fetch ends, or nil if it is too early for another one. mu must be
// held.
func (s *keySet) startFetch() <-chan struct{} {
	if s.flight != nil {
		return s.flight
	}
	if s.closed || time.Since(s.attempted) < jwksFloor {
		return nil
	}
	s.attempted = time.Now()
	flight := make(chan struct{})
	s.flight = flight
	s.wg.Go(func() {
		keys, err := s.fetch()
		s.mu.Lock()
		s.flight, s.err = nil, err
		if err == nil {
			s.keys, s.fetched = keys, time.Now()
		}
		s.mu.Unlock()
		close(flight)
		if err != nil && s.onError != nil && s.ctx.Err() == nil {
			s.onError(&fetchError{err})
		}
	})
	return flight
}

// fetch gets and parses the set. Its errors do not contain the URL.
func (s *keySet) fetch() ([]key, error) {
	ctx, cancel := context.WithTimeout(s.ctx, jwksTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return nil, errors.New("invalid URL")
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	res, err := s.client.Do(req)
	if err != nil {
		var withURL *url.Error
		if errors.As(err, &withURL) { // the URL may contain a password
			err = withURL.Err
		}
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("HTTP status %d", res.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, jwksMaxBytes+1))
	if err != nil {
		return nil, err
	}
	if len(body) > jwksMaxBytes {
		return nil, fmt.Errorf("more than %d bytes", jwksMaxBytes)
	}
	return parseSet(body)
}

// parseSet parses a JWK set. It ignores keys that it does not understand, as RFC 7517
// section 5 requires, and symmetric keys: a published secret is not secret.
func parseSet(body []byte) ([]key, error) {
	var set map[string]json.RawMessage // a struct field would match KEYS as well
	var list []json.RawMessage
	if json.Unmarshal(body, &set) != nil || json.Unmarshal(set["keys"], &list) != nil || list == nil {
		return nil, errors.New("not a JSON Web Key set")
	}
	if len(list) > jwksMaxKeys {
		return nil, fmt.Errorf("more than %d keys", jwksMaxKeys)
	}
	keys := []key{}
	for _, raw := range list {
		var web jose.JSONWebKey
		if web.UnmarshalJSON(raw) != nil || !web.Valid() || !web.IsPublic() || web.Use != "" && web.Use != "sig" {
			continue
		}
		k, err := newKey(web.KeyID, web.Key)
		if err != nil {
			continue
		}
		if web.Algorithm != "" {
			k.algorithms = slices.DeleteFunc(k.algorithms, func(alg string) bool { return alg != web.Algorithm })
		}
		keys = append(keys, k)
	}
	return keys, nil
}
