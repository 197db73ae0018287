package server

import (
	"embed"
	"io/fs"
	"strings"
)

// clientDist has the browser client if the build has copied it there; a plain go build
// has none.
//
//go:embed all:clientdist
var clientDist embed.FS

// clientBundle returns the files of the browser client and their version.
func clientBundle() (files fs.FS, version string) {
	files, err := fs.Sub(clientDist, "clientdist")
	if err != nil {
		return nil, ""
	}
	text, err := fs.ReadFile(files, "VERSION")
	if err != nil {
		return files, "none"
	}
	return files, strings.TrimSpace(string(text))
}
