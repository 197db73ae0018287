// Command zishang520 serves the events of ../events.mjs with github.com/zishang520/socket.io/v2, for benchmarks.
package main

import (
	"log"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/zishang520/socket.io/v2/socket"
)

func main() {
	options := socket.DefaultServerOptions()
	options.SetPingInterval(30 * time.Second)
	options.SetPingTimeout(60 * time.Second)
	options.SetMaxHttpBufferSize(1_000_000)
	io := socket.NewServer(nil, nil)
	secret := []byte(os.Getenv("JWT_SECRET"))
	s := &service{
		io:          io,
		limit:       newRateLimit(number("WS_RATE_LIMIT", 100), time.Duration(number("WS_RATE_WINDOW", 60000))*time.Millisecond),
		presenceMax: number("WS_PRESENCE_MAX", 1000),
		rooms:       map[string]map[string]int{},
	}
	io.Use(func(c *socket.Socket, next func(*socket.ExtendedError)) {
		user, err := verify(c.Handshake().Auth, secret)
		if err != nil {
			next(socket.NewExtendedError("Authentication failed", map[string]string{"code": "token_invalid"}))
			return
		}
		c.SetData(user)
		next(nil)
	})
	io.On("connection", func(args ...any) { s.connected(args[0].(*socket.Socket)) })
	http.Handle("/socket.io/", io.ServeHandler(options))
	log.Fatal(http.ListenAndServe(os.Getenv("HTTP_HOST")+":"+os.Getenv("HTTP_PORT"), nil))
}

func number(name string, fallback int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return fallback
}

func verify(auth any, secret []byte) (user string, err error) {
	fields, _ := auth.(map[string]any)
	token, _ := fields["token"].(string)
	claims := jwt.MapClaims{}
	_, err = jwt.ParseWithClaims(token, claims, func(*jwt.Token) (any, error) { return secret, nil },
		jwt.WithValidMethods([]string{"HS256"}))
	if err != nil {
		return "", err
	}
	if user, ok := claims["userId"].(string); ok {
		return user, nil
	}
	return claims.GetSubject()
}
