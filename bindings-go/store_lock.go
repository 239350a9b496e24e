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
	mine := lockContent()
	deadline := time.Now().Add(lockPatience)
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		err := createLock(path, mine)
		if err == nil {
			return func() { unlock(path, mine) }, nil
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

// createLock makes the file with its content at once: it is written under a name of
// its own and then linked, so that a process that dies here leaves no lock without a
// maker.
func createLock(path, content string) error {
	draft := path + "." + strings.TrimSpace(strings.ReplaceAll(content, " ", "-"))
	if err := os.WriteFile(draft, []byte(content), fileMode); err != nil {
		return err
	}
	defer os.Remove(draft)
	return os.Link(draft, path)
}

// unlock removes a lock if it is still the one with that content: another process may
// have taken its maker for dead.
func unlock(path, mine string) {
	if content, err := os.ReadFile(path); err == nil && string(content) == mine {
		_ = os.Remove(path)
	}
}

// breakStaleLock removes the lock of a process that is gone. Two who find the same
// stale lock must not remove each other's new one, so breaking has a lock of its
// own, and the content is read again under it.
func breakStaleLock(path string) bool {
	content, stale := staleLock(path)
	if !stale {
		return false
	}
	breaker, mine := path+".break", lockContent()
	if createLock(breaker, mine) != nil {
		if isOld(breaker) {
			_ = os.Remove(breaker)
		}
		return false
	}
	defer unlock(breaker, mine)
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
		// Another host's, whose maker died between making and writing it or is about to
		// write.
		return content, isOld(path)
	}
	return content, !alive(pid)
}

// lockContent is "PID TOKEN\n"; the token tells a process's locks apart.
func lockContent() string {
	token := make([]byte, 8)
	rand.Read(token)
	return fmt.Sprintf("%d %s\n", os.Getpid(), hex.EncodeToString(token))
}

func isOld(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && time.Since(info.ModTime()) > lockAge
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
	// Making or breaking a lock takes microseconds. It is well below the patience, so
	// that whoever waits lives to see it.
	lockAge   = 5 * time.Second
	lockPause = 5 * time.Millisecond
)
