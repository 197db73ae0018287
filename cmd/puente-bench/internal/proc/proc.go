// Package proc reads the CPU time and memory of a process from Linux's /proc.
package proc

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"
)

// tick is the unit of the times in /proc/<pid>/stat: USER_HZ, which is 100 on every architecture that Go runs on.
const tick = 10 * time.Millisecond

// ErrFormat is returned if a file in /proc has an unexpected format.
var ErrFormat = errors.New("proc: unexpected format")

// CPU returns the user and system time of all threads of a process, with a resolution of 10 ms.
func CPU(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	return parseStat(b)
}

// parseStat returns the sum of utime and stime, fields 14 and 15 (proc_pid_stat(5)). Field 2, the command, may contain any
// characters, so fields are counted from the last parenthesis.
func parseStat(b []byte) (time.Duration, error) {
	end := bytes.LastIndexByte(b, ')')
	if end < 0 {
		return 0, fmt.Errorf("%w: stat %.60q", ErrFormat, b)
	}
	fields := bytes.Fields(b[end+1:])
	if len(fields) < 13 {
		return 0, fmt.Errorf("%w: stat %.60q", ErrFormat, b)
	}
	user, err := strconv.ParseInt(string(fields[11]), 10, 64)
	system, err2 := strconv.ParseInt(string(fields[12]), 10, 64)
	if err := errors.Join(err, err2); err != nil {
		return 0, fmt.Errorf("%w: stat: %w", ErrFormat, err)
	}
	return time.Duration(user+system) * tick, nil
}

// RSS returns the resident memory of a process in bytes, from smaps_rollup: the value in status may lag by some pages per
// core.
func RSS(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, err
	}
	return parseKiB(b, "Rss")
}

// Peak returns the peak resident memory of a process in bytes.
func Peak(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	return parseKiB(b, "VmHWM")
}

// parseKiB finds the line "name: number kB" (proc_pid_status(5), proc_pid_smaps(5)) and returns its value in bytes.
func parseKiB(b []byte, name string) (int64, error) {
	for line := range bytes.Lines(b) {
		if rest, ok := bytes.CutPrefix(line, []byte(name+":")); ok {
			fields := bytes.Fields(rest)
			if len(fields) != 2 || string(fields[1]) != "kB" {
				break
			}
			kib, err := strconv.ParseInt(string(fields[0]), 10, 64)
			if err != nil {
				break
			}
			return kib << 10, nil
		}
	}
	return 0, fmt.Errorf("%w: no %s in %.60q", ErrFormat, name, b)
}
