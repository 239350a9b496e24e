package strongroom

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// lockFile makes a lock file, waiting for whoever has it now, and gives what
// removes it. Node has no flock, so the lock is the file's being there; its
// content says who made it, so that the lock of a process that died can be broken.
//
// It returns ErrStoreUnavailable after ten seconds.
func lockFile(ctx context.Context, path string) (release func(), err error) {
	token := make([]byte, 8)
	rand.Read(token)
	mine := fmt.Sprintf("%d %s\n", os.Getpid(), hex.EncodeToString(token))
	deadline := time.Now().Add(lockPatience)
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		err := createLock(path, mine)
		if err == nil {
			return func() { _ = os.Remove(path) }, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, unavailable(err)
		}
		if breakStaleLock(path) {
			continue
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("%w: %s is held", ErrStoreUnavailable, path)
		}
		time.Sleep(lockPause)
	}
}

func createLock(path, content string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return err
	}
	_, err = file.WriteString(content)
	if err = errors.Join(err, file.Close()); err != nil {
		_ = os.Remove(path)
	}
	return err
}

// breakStaleLock removes the lock of a process that is gone. Two who find the same
// stale lock must not remove each other's new one, so breaking has a lock of its
// own, and the content is read again under it.
func breakStaleLock(path string) bool {
	content, stale := staleLock(path)
	if !stale {
		return false
	}
	breaker := path + ".break"
	if createLock(breaker, "") != nil {
		if info, err := os.Lstat(breaker); err == nil && time.Since(info.ModTime()) > lockPatience {
			_ = os.Remove(breaker)
		}
		return false
	}
	defer os.Remove(breaker)
	if again, err := os.ReadFile(path); err != nil || string(again) != content {
		return false
	}
	return os.Remove(path) == nil
}

func staleLock(path string) (content string, stale bool) {
	bytes, err := os.ReadFile(path)
	if err != nil {
		return "", false
	}
	content = string(bytes)
	word, _, _ := strings.Cut(content, " ")
	pid, err := strconv.Atoi(word)
	if err != nil || pid < 1 || !strings.HasSuffix(content, "\n") {
		// Its maker died between making and writing it, or is about to write.
		info, err := os.Lstat(path)
		return content, err == nil && time.Since(info.ModTime()) > lockPatience
	}
	return content, !alive(pid)
}

// alive says whether a process of this machine exists; in doubt it does.
func alive(pid int) bool {
	process, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	defer process.Release()
	return !errors.Is(process.Signal(syscall.Signal(0)), os.ErrProcessDone)
}

const (
	lockPatience = 10 * time.Second
	lockPause    = 5 * time.Millisecond
)
