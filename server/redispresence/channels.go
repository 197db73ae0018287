package redispresence

// channels are the names of the cluster's channels. They match no pattern of
// Node's adapters, which begin with the prefix and "#", "-request#" or
// "-response#".
type channels struct{ all string }

func newChannels(prefix string) channels { return channels{prefix + "-presence#"} }

// node is the channel of one node.
func (c channels) node(name string) string { return c.all + name + "#" }
