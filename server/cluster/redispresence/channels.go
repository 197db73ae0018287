package redispresence

// channels derives the cluster's channel names. No pattern of Node's adapters
// matches them: those begin with the prefix and "#", "-request#" or "-response#".
type channels struct{ all string }

func newChannels(prefix string) channels { return channels{prefix + "-presence#"} }

// node returns the channel of one node.
func (c channels) node(name string) string { return c.all + name + "#" }
