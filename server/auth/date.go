package auth

import (
	"encoding/json"
	"math"
	"strconv"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// maxSeconds is the last second of the year 9999. Later dates are reduced to it, so
// that adding a leeway cannot overflow time.Time.
const maxSeconds = 253402300799

// parseDate reads a NumericDate (RFC 7519 section 2). As in jsonwebtoken, it must be
// a number, and may be any: 1e300 is far in the future, -1e300 long past. golang-jwt
// would accept null as no claim and "1" as a number, and it converts floats to int64
// without a range check.
func parseDate(raw json.RawMessage) (*jwt.NumericDate, error) {
	if len(raw) == 0 || raw[0] != '-' && (raw[0] < '0' || raw[0] > '9') {
		return nil, errDate
	}
	// raw is valid JSON, so the only possible error is a range error, for which
	// seconds is infinite.
	seconds, _ := strconv.ParseFloat(string(raw), 64)
	whole, fraction := math.Modf(min(max(seconds, 0), maxSeconds))
	return &jwt.NumericDate{Time: time.Unix(int64(whole), int64(fraction*1e9))}, nil
}
