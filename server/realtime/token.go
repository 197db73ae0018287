package realtime

import (
	"context"
	"encoding/json"
	"time"

	"github.com/puente-io/puente/server/auth"
	"github.com/puente-io/puente/server/socketio"
)

// Authenticate returns a middleware that admits sockets with a valid token, for
// namespaces other than the service's. The token is the member token of what the
// client sends with CONNECT, as in the service's namespace: io(url, {auth: {token}}).
// Headers and the query are not read. A socket whose token is missing or refused gets
// connect_error with the message "Authentication failed" and {code}, see [auth.Code].
//
// The middleware calls [socketio.Socket.ForgetAuth]. It does not make the socket a
// device of the user, and an expiry of the token does not close the connection:
// [ClaimsOf] reports false from then on.
func Authenticate(v *auth.Verifier) socketio.Middleware {
	return func(ctx context.Context, s *socketio.Socket) error {
		s.ForgetAuth()
		token, err := sentToken(s)
		if err != nil {
			return refusal(err)
		}
		claims, err := verify(ctx, v, token)
		if err != nil {
			return refusal(err)
		}
		admitted.Set(s, &claims)
		return nil
	}
}

// admitted has the claims of the sockets that the middleware of Authenticate admitted.
var admitted = socketio.NewKey[*auth.Claims]()

// ClaimsOf returns the claims of the socket's token. It reports false if the socket has
// no user, and after the expiry of a token that the middleware of [Authenticate]
// accepted. Raw is set only in the claims of that middleware.
func ClaimsOf(s *socketio.Socket) (auth.Claims, bool) {
	if sess := sessionOf(s); sess != nil {
		sess.mu.Lock()
		defer sess.mu.Unlock()
		return sess.claims, !sess.claims.UserID.IsZero()
	}
	claims, ok := admitted.Get(s)
	if !ok || !claims.ExpiresAt.IsZero() && !time.Now().Before(claims.ExpiresAt) {
		return auth.Claims{}, false
	}
	return *claims, true
}

// sentToken returns the token that the client sent with CONNECT.
func sentToken(s *socketio.Socket) (socketio.Value, error) {
	var sent struct {
		Token socketio.Value `json:"token"`
	}
	if err := s.Handshake().Auth.Decode(&sent); err != nil {
		return sent.Token, auth.ErrTokenInvalid
	}
	return sent.Token, nil
}

// isMissing reports whether token is absent, null or empty: frontends send null or
// an empty string while they have no token.
func isMissing(token socketio.Value) bool { return token.IsNull() || string(token.JSON) == `""` }

// verify verifies a token as received. v may be nil: then no token is valid.
func verify(ctx context.Context, v *auth.Verifier, token socketio.Value) (auth.Claims, error) {
	if isMissing(token) {
		return auth.Claims{}, auth.ErrTokenMissing
	}
	var text string
	if len(token.JSON) > auth.MaxTokenLength+2 || json.Unmarshal(token.JSON, &text) != nil || v == nil {
		return auth.Claims{}, auth.ErrTokenInvalid
	}
	return v.Verify(ctx, text)
}

// refusal returns what a client whose token is refused reads.
func refusal(err error) error {
	return &socketio.ConnectError{Message: "Authentication failed", Data: map[string]string{"code": auth.Code(err)}}
}
