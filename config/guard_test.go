package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"
)

// onDisk is a place where modes count, wherever the tests run.
func onDisk(t *testing.T, shelter string) {
	t.Helper()
	t.Chdir(t.TempDir())
	real := sheltered
	sheltered = func(*os.File) string { return shelter }
	t.Cleanup(func() { sheltered = real })
}

func put(t *testing.T, name, content string, mode fs.FileMode) {
	t.Helper()
	write(t, name, content)
	if err := os.Chmod(name, mode); err != nil { // the umask has no say
		t.Fatal(err)
	}
}

const (
	inSecretFile  = "Client_Id 1\nTenant_Id contoso.com\nRefresh_Token_File it"
	inTenantsFile = "Client_Id 1\nTenants_File it"
	secretWritten = "- {name: contoso, tenant_id: contoso.com, refresh_token: hush}"
	secretDefault = "- {name: contoso, tenant_id: contoso.com, refresh_token: '${TOKEN:-hush}'}"
	secretInEnv   = "- {name: contoso, tenant_id: contoso.com, refresh_token: '${TOKEN}'}"
)

func TestFilesThatOthersCanOpen(t *testing.T) {
	t.Setenv("TOKEN", "hush")
	for _, tt := range []struct {
		properties, content string
		mode                fs.FileMode
		want                string // "": it passes
	}{
		{inSecretFile, "hush", 0o600, ""},
		{inSecretFile, "hush", 0o440, ""}, // root:fluent-bit
		{inSecretFile, "hush", 0o644, "Refresh_Token_File: the file it can be read by everyone on this machine (mode 0644); chmod o-r it"},
		{inSecretFile, "hush", 0o660, "Refresh_Token_File: the file it can be written by others than its owner (mode 0660); chmod go-w it"},
		{inSecretFile, "hush", 0o602, "Refresh_Token_File: the file it can be written by others than its owner (mode 0602); chmod go-w it"},
		{inSecretFile, "hush", 0o666, "Refresh_Token_File: the file it can be read and written by others than its owner (mode 0666); chmod go-w,o-r it"},
		{inTenantsFile, secretInEnv, 0o644, ""},
		{inTenantsFile, secretInEnv, 0o664, "Tenants_File: the file it can be written by others than its owner (mode 0664); chmod go-w it"},
		{inTenantsFile, secretWritten, 0o640, ""},
		{inTenantsFile, secretWritten, 0o644, "Tenants_File: the file it can be read by everyone on this machine (mode 0644), and there are secrets in it; chmod o-r it"},
		{inTenantsFile, secretDefault, 0o644, "Tenants_File: the file it can be read by everyone on this machine (mode 0644), and there are secrets in it; chmod o-r it"},
		{minimal + "\nCA_File it", "", 0o666, "CA_File: the file it can be written by others than its owner (mode 0666); chmod go-w it"},
	} {
		t.Run(fmt.Sprintf("%04o %s", tt.mode, tt.want), func(t *testing.T) {
			onDisk(t, "")
			put(t, "it", tt.content, tt.mode)
			c, err := Load(properties(tt.properties))
			switch {
			case tt.want == "" && (err != nil || len(c.Warnings) > 0):
				t.Errorf("Load: %v, warnings %v", err, c.Warnings)
			case tt.want != "" && (err == nil || err.Error() != tt.want):
				t.Errorf("Load: %v\nwant %s", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "hush") {
				t.Error("the message shows the secret")
			}
		})
	}
}

// TestShelteredFilesWarn: where whoever mounts chose the mode, all of them in one line.
func TestShelteredFilesWarn(t *testing.T) {
	onDisk(t, "under /run/secrets")
	lines := "Client_Id 1\nTenants a,b,c"
	for _, name := range []string{"a", "b", "c"} {
		put(t, name, "hush", 0o444)
		lines += fmt.Sprintf("\n%s.Tenant_Id %s.com\n%s.Refresh_Token_File %s", name, name+name, name, name)
	}
	c := mustLoad(t, lines)
	if len(c.Warnings) != 1 {
		t.Fatalf("warnings: %v", c.Warnings)
	}
	want := "a: and 2 more can be read by everyone on this machine, and pass because they are under /run/secrets; mount it with a mode such as 0400"
	if got := c.Warnings[0].String(); !strings.HasPrefix(got, want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	again, err := c.Reload()
	if err != nil || len(again.Warnings) != 1 {
		t.Errorf("after Reload: %v, %v", again, err)
	}
}

// TestShelters asks the machine itself: /proc is no disk, the working directory one that counts.
func TestShelters(t *testing.T) {
	for name, want := range map[string]string{"/proc/self/status": "", "/dev/shm": "on a file system in memory"} {
		file, err := os.Open(name)
		if err != nil {
			t.Skipf("this machine has no %s", name)
		}
		defer file.Close()
		var mount syscall.Statfs_t
		if syscall.Fstatfs(int(file.Fd()), &mount) == nil && mount.Flags&readOnly != 0 {
			want = "on a read-only mount"
		}
		if name == "/dev/shm" && uint32(mount.Type) != tmpfs {
			t.Skip("/dev/shm is no tmpfs here")
		}
		if got := sheltered(file); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestSecretInAPipeDoesNotBlock(t *testing.T) {
	onDisk(t, "")
	if err := syscall.Mkfifo("it", 0o600); err != nil {
		t.Skip(err)
	}
	_, err := Load(properties(inSecretFile))
	var faults *Faults
	if !errors.As(err, &faults) || !strings.Contains(err.Error(), "no regular file") {
		t.Errorf("Load: %v", err)
	}
}

func TestShellWord(t *testing.T) {
	for name, want := range map[string]string{
		"/etc/fluent-bit/a.token": "/etc/fluent-bit/a.token", "a b": "'a b'", "it's": `'it'\''s'`, "-r": "'-r'", "$(x)": "'$(x)'", "": "''",
	} {
		if got := shellWord(name); got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
	}
}
