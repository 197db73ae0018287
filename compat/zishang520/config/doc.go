// Package config has the options of package engine, by their names in
// github.com/zishang520/engine.io/v2/config. An option is set, or has its default.
package config

func get[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
