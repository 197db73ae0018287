//go:build !race

package zishang520_test

const raceFlag = "-race=false"
