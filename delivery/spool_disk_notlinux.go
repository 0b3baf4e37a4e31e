//go:build !linux

package delivery

func (osDisk) network(string) string { return "" }
