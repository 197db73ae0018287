package compare

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// machine describes the machine, as far as the system reports it.
func machine() string {
	parts := []string{fmt.Sprintf("%d cores", runtime.NumCPU())}
	if v := field("/proc/cpuinfo", "model name"); v != "" {
		parts[0] = fmt.Sprintf("%d cores of %s", runtime.NumCPU(), v)
	}
	var kib int64
	if _, err := fmt.Sscanf(field("/proc/meminfo", "MemTotal"), "%d kB", &kib); err == nil {
		parts = append(parts, fmt.Sprintf("%d GiB", (kib+1<<19)>>20))
	}
	if b, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		release, _, _ := strings.Cut(strings.TrimSpace(string(b)), "-")
		parts = append(parts, "Linux "+release)
	} else {
		parts = append(parts, runtime.GOOS)
	}
	return strings.Join(parts, ", ")
}

// field returns the first value of a name in a file of lines "name: value", or "".
func field(file, name string) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(b)) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == name {
			return strings.TrimSpace(v)
		}
	}
	return ""
}
