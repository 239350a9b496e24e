// Command pack writes the modules as a module proxy serves them:
//
//	go run ./internal/pack FOLDER
//	GOPROXY=file://FOLDER go get strongroom.dev/go
//
// What only this repository needs stays out: tests, the Rust crate, this command,
// and everything of the test build. The same sources give the same bytes.
package main

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// A module is a folder below bindings-go and what of it is packed.
type module struct {
	path    string
	folder  string
	packed  []string
	archive bool
}

var modules = []module{
	{path: "strongroom.dev/go", folder: ".", archive: true, packed: []string{
		"*.go", "storetest/*.go", "strongroom.h", "cgo.h", "strongroom_boring.h", "boring_cgo.h", "README.md", "libstrongroom_*.a", "../LICENSE-*",
	}},
	{path: "strongroom.dev/go/awskms", folder: "awskms", packed: []string{
		"*.go", "go.sum", "README.md", "../../LICENSE-*",
	}},
	{path: "strongroom.dev/go/keychain", folder: "keychain", packed: []string{
		"*.go", "go.sum", "README.md", "../../LICENSE-*",
	}},
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go run ./internal/pack FOLDER")
		os.Exit(2)
	}
	version, err := releaseVersion("../Cargo.toml")
	for _, m := range modules {
		if err == nil {
			err = m.pack(os.Args[1], version)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(version)
}

func (m module) pack(proxy, version string) error {
	files, err := m.files()
	if err != nil {
		return err
	}
	mod, err := os.ReadFile(filepath.Join(m.folder, "go.mod"))
	if err != nil {
		return err
	}
	files["go.mod"] = released(mod, version)
	zipped, err := zipOf(m.path+"@"+version+"/", files)
	if err != nil {
		return err
	}
	folder := filepath.Join(proxy, m.path, "@v")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for name, content := range map[string][]byte{
		version + ".zip":  zipped,
		version + ".mod":  files["go.mod"],
		version + ".info": []byte(`{"Version":"` + version + `"}` + "\n"),
		"list":            []byte(version + "\n"),
	} {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (m module) files() (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, pattern := range m.packed {
		found, err := filepath.Glob(filepath.Join(m.folder, pattern))
		if err != nil {
			return nil, err
		}
		for _, name := range found {
			base := filepath.Base(name)
			if strings.HasSuffix(base, "_test.go") || strings.HasPrefix(base, "hazmat") {
				continue
			}
			content, err := os.ReadFile(name)
			if err != nil {
				return nil, err
			}
			files[path.Join(path.Dir(strings.TrimLeft(pattern, "./")), base)] = content
		}
	}
	if _, built := files["libstrongroom_linux_amd64.a"]; m.archive && !built {
		return nil, errors.New("libstrongroom_linux_amd64.a is not built")
	}
	return files, nil
}

// released is a go.mod without what points at the folders of this repository.
func released(mod []byte, version string) []byte {
	mod = regexp.MustCompile(`(?m)^replace .*\n`).ReplaceAll(mod, nil)
	mod = regexp.MustCompile(`strongroom\.dev/go v\S+`).ReplaceAll(mod, []byte("strongroom.dev/go "+version))
	return append(bytes.TrimSpace(mod), '\n')
}

// zipOf has no times in it.
func zipOf(prefix string, files map[string][]byte) ([]byte, error) {
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	var zipped bytes.Buffer
	to := zip.NewWriter(&zipped)
	for _, name := range names {
		entry, err := to.Create(prefix + name)
		if err != nil {
			return nil, err
		}
		if _, err := entry.Write(files[name]); err != nil {
			return nil, err
		}
	}
	err := to.Close()
	return zipped.Bytes(), err
}

func releaseVersion(cargo string) (string, error) {
	text, err := os.ReadFile(cargo)
	if err != nil {
		return "", err
	}
	found := regexp.MustCompile(`(?s)\[workspace\.package\].*?\nversion = "([^"]+)"`).FindSubmatch(text)
	if found == nil {
		return "", errors.New(cargo + " has no version")
	}
	return "v" + string(found[1]), nil
}
