package flbhost

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"fluent-bit-defender/internal/simulator"
)

// TestMemcheck runs the plugin under valgrind (make memcheck) with few batches
// and with many, through both ways of handing over: what C memory is lost must
// be the same. It takes a minute, so it asks for MEMCHECK=1 or -run Memcheck.
func TestMemcheck(t *testing.T) {
	if os.Getenv("MEMCHECK") == "" && !asked("Memcheck") {
		t.Skip("takes a minute: make memcheck runs it")
	}
	valgrind, err := exec.LookPath("valgrind")
	if err != nil {
		t.Skip("no valgrind here (Debian: apt-get install valgrind): ", err)
	}
	plugin := must[string](t)(BuildPlugin(patience(t), ".", t.TempDir()))
	for name, noAppend := range map[string]bool{"append": false, "hand over": true} {
		t.Run(name, func(t *testing.T) {
			h := Host{
				Path:     must[string](t)(CompileHost(patience(t), buildFolder, noAppend)),
				Interval: 20 * time.Millisecond,
				Wrapper:  []string{valgrind, "--error-exitcode=0", "--leak-check=full", "--show-leak-kinds=definite"},
			}
			few, many := lost(t, h, plugin, 5), lost(t, h, plugin, 200)
			t.Logf("definitely lost: %d bytes with 5 batches, %d with 200", few, many)
			if many > few {
				t.Errorf("%d bytes are lost with 5 batches, %d with 200", few, many)
			}
		})
	}
}

// lost returns the bytes that valgrind calls definitely lost after so many batches.
func lost(t *testing.T, h Host, plugin string, batches int) int {
	sim := simulator.New(simulator.Options{})
	tenant := must[*simulator.Tenant](t)(sim.AddTenant(simulator.TenantOptions{Name: "contoso"}))
	tenant.AddBurst(batches, time.Hour)
	server := must[*simulator.Server](t)(sim.Listen("127.0.0.1:0", false))
	defer server.Close()
	s := sink(t)
	h.Trace = filepath.Join(t.TempDir(), "trace")
	app := tenant.Apps()[0]
	p := launch(t, h, Options{Plugin: plugin, Sink: s, Inputs: []string{fmt.Sprintf(`
		Name defender
		Threaded off
		Tenant_Name contoso
		Tenant_Id %s
		Client_Id %s
		Client_Secret %s
		Refresh_Token %s
		Login_Url %s
		Graph_Url %[5]s
		Batch_Limit 4k
		State_Path %s`, tenant.ID, app.ClientID, app.ClientSecret, app.RefreshToken, server.URL, filepath.Join(t.TempDir(), "state"))}})
	check(t, s.Wait(p.While(patience(t)), func(records []Record) bool { return len(records) >= batches }))
	check(t, p.Stop(patience(t)))
	appends := strings.Count(string(must[[]byte](t)(os.ReadFile(h.Trace))), "\tflb_input_log_append\t")
	if appends < batches/4 {
		t.Fatalf("%d alerts went out in %d batches: too few to tell", batches, appends)
	}
	log := strings.Join(p.Log(), "\n")
	if strings.Contains(log, "no leaks are possible") {
		return 0
	}
	found := regexp.MustCompile(`definitely lost: ([\d,]+) bytes`).FindStringSubmatch(log)
	if found == nil {
		t.Fatalf("valgrind's summary is missing:\n%s", log)
	}
	return must[int](t)(strconv.Atoi(strings.ReplaceAll(found[1], ",", "")))
}
