package server

import (
	"os"
	"strings"
	"testing"
)

func TestLogFormat(t *testing.T) {
	for _, tc := range []struct {
		env  env
		json bool
	}{
		{env{}, false},
		{env{"NODE_ENV": "production"}, true},
		{env{"NODE_ENV": "production", "LOG_FORMAT": "text"}, false},
		{env{"LOG_FORMAT": "json"}, true},
		{env{"LOG_FORMAT": "json", "JWT_SECRET": ""}, true},
	} {
		n := start(t, tc.env)
		n.do("GET", "/healthz", "")
		n.until("it says where it serves", func() bool { return strings.Contains(n.log.String(), "serving") })
		for line := range strings.Lines(n.log.String()) {
			if tc.json != strings.HasPrefix(line, `{"level":`) {
				t.Errorf("%v: %s", tc.env, line)
			}
		}
	}
}

// Colours are for terminals: files, pipes and journals get none.
func TestColors(t *testing.T) {
	file, err := os.Create(t.TempDir() + "/log")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	none := func(string) string { return "" }
	if hasColors(file, none) || hasColors(new(logBuffer), none) {
		t.Error("colours in a file")
	}
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no terminal to be had: ", err)
	}
	defer terminal.Close()
	if !hasColors(terminal, none) {
		t.Error("no colours on a terminal")
	}
	for variable, value := range map[string]string{"NO_COLOR": "1", "TERM": "dumb"} {
		if hasColors(terminal, func(name string) string {
			if name == variable {
				return value
			}
			return ""
		}) {
			t.Errorf("%s=%s is not honoured", variable, value)
		}
	}
}
