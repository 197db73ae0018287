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
// Headers are not read, and the query only of clients of protocol 3. A socket whose token is missing or refused gets
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

// sentToken returns the token that the client sent with CONNECT. Clients of protocol 3
// send none to the namespace "/", but put it into the query of their requests; elsewhere a
// token does not belong in a URL, which proxies log.
func sentToken(s *socketio.Socket) (socketio.Value, error) {
	var sent struct {
		Token socketio.Value `json:"token"`
	}
	h := s.Handshake()
	if err := h.Auth.Decode(&sent); err != nil {
		return sent.Token, auth.ErrTokenInvalid
	}
	if s.Session().Protocol() == 3 && isMissing(sent.Token) {
		text, err := json.Marshal(h.Query["token"])
		if err != nil {
			return sent.Token, auth.ErrTokenInvalid
		}
		sent.Token.JSON = text
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

// bare returns a refusal of the service as a client gets it. In protocol 3 it could only
// get either, so it gets the text: the documented middleware on Node sends no data.
func bare(s *socketio.Socket, refused *socketio.ConnectError) error {
	if s.Session().Protocol() == 3 {
		refused.Data = nil
	}
	return refused
}

// refusal returns what a client whose token is refused reads.
func refusal(err error) *socketio.ConnectError {
	return &socketio.ConnectError{Message: "Authentication failed", Data: map[string]string{"code": auth.Code(err)}}
}
