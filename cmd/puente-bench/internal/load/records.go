package load

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// records returns a JSON array of n bytes, or nil if n is 0. It repeats names and differs in values, as what applications send, so
// that it can be compressed as well, to about a third. Node writes it as it is here.
func records(n int) []byte {
	if n == 0 {
		return nil
	}
	r := rand.New(rand.NewPCG(1, 2))
	const end = `""]`
	b := []byte{'['}
	for {
		record := fmt.Sprintf(`{"orderId":%d,"status":"%s","customer":"%x","updatedAt":"2024-12-20T15:%02d:%02d.%03dZ","cents":%d},`, r.IntN(1_000_000),
			[]string{"completed", "pending", "shipped"}[r.IntN(3)], r.Uint32(), r.IntN(60), r.IntN(60), r.IntN(1000), r.IntN(100_000))
		if len(b)+len(record)+len(end) > n {
			break
		}
		b = append(b, record...)
	}
	return append(append(append(b, '"'), strings.Repeat("x", max(n-len(b)-len(end), 0))...), `"]`...)
}
