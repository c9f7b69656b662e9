package image

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"
)

// writeTar writes the entries, each after the folders that hold it. Everything
// belongs to root.
func writeTar(writer io.Writer, entries []entry) error {
	archive := tar.NewWriter(writer)
	made := map[string]bool{"/": true}
	for _, each := range entries {
		if err := writeParents(archive, path.Dir(each.path), made); err != nil {
			return err
		}
		if err := writeEntry(archive, each); err != nil {
			return fmt.Errorf("pack %s: %w", each.path, err)
		}
		made[each.path] = true
	}
	return archive.Close()
}

func writeParents(archive *tar.Writer, folder string, made map[string]bool) error {
	if made[folder] {
		return nil
	}
	if err := writeParents(archive, path.Dir(folder), made); err != nil {
		return err
	}
	made[folder] = true
	return writeEntry(archive, entry{path: folder, mode: fs.ModeDir | 0o755})
}

func writeEntry(archive *tar.Writer, each entry) error {
	header := &tar.Header{Name: strings.TrimPrefix(each.path, "/"), Mode: int64(each.mode.Perm()), Typeflag: tar.TypeReg}
	if each.mode.IsDir() {
		header.Typeflag = tar.TypeDir
		header.Name += "/"
		if each.mode&fs.ModeSticky != 0 {
			header.Mode |= 0o1000
		}
		return archive.WriteHeader(header)
	}
	var content io.Reader = bytes.NewReader(each.content)
	header.Size = int64(len(each.content))
	if each.source != "" {
		file, err := os.Open(each.source)
		if err != nil {
			return err
		}
		defer file.Close()
		info, err := file.Stat()
		if err != nil {
			return err
		}
		// Java checks the age of the files that its class archive was made from.
		header.Size, header.ModTime = info.Size(), info.ModTime().Truncate(time.Second)
		content = file
	}
	if err := archive.WriteHeader(header); err != nil {
		return err
	}
	_, err := io.Copy(archive, content)
	return err
}
