package main

import (
	"fmt"
	"regexp"
	"strings"
)

// version is one such as 1.2.3 or 1.2.3-rc.1, as it stands in the source and the changelog.
type version string

// versionFormat is that of semantic versions, without build metadata, which Go's modules have no use for.
const versionFormat = `^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$`

// parseVersion takes a version with or without a "v" before it.
func parseVersion(text string) (version, error) {
	text = strings.TrimPrefix(text, "v")
	parts := regexp.MustCompile(versionFormat).FindStringSubmatch(text)
	if parts == nil {
		return "", fmt.Errorf("%q is no semantic version", text)
	}
	if major := parts[1]; major != "0" && major != "1" {
		return "", fmt.Errorf("from version 2 on, module paths have to end in /v%s", major)
	}
	return version(text), nil
}

// module is the version as Go's modules and git's tags have it.
func (v version) module() string { return "v" + string(v) }

// tags are those of the public modules: Go finds a nested module's version by the tag that begins with its directory.
func (v version) tags() []string {
	tags := []string{v.module()}
	for _, directory := range publicModules() {
		tags = append(tags, directory+"/"+v.module())
	}
	return tags
}

// publicModules are the directories of the nested modules that are released, all under the version of the root.
func publicModules() []string { return []string{"hooks/otelhooks"} }
