package scenarios

import (
	"context"
	"flag"
	"os"
	"strconv"
	"testing"

	"go.uber.org/goleak"

	"fluent-bit-defender/internal/flbhost"
	"fluent-bit-defender/internal/simulator"
)

// scenario is one story and what must be true in the end.
type scenario struct {
	name     string
	hostOnly bool // Fluent Bit cannot be told to do this
	play     func(w *world)
}

var scenarios = []scenario{
	{"campaign", false, campaign},
	{"kills", false, kills},
	{"samples", false, samples},
	{"dead token", false, deadToken},
	{"tenants file", false, tenantsFile},
	{"update between pages", false, updateBetweenPages},
	{"two instances over a reload", false, twoInstances},
	{"one tenant in two instances", false, sharedTenant},
	{"one checkpoint claimed twice", false, claimedTwice},
	{"ten faults", false, tenFaults},
	{"a tag per tenant", false, tagPerTenant},
	{"options", false, options},
	{"hanging requests", false, hangingRequests},
	{"dead output, full disk", false, deadOutput("stuck paused (storage buf overlimit", "Storage.Pause_On_Chunks_Overlimit on")},
	{"dead output, full memory", false, deadOutput("stuck paused (mem buf overlimit", "Storage.Type memory", "Mem_Buf_Limit 500k")},
	{"crashes of a threaded input", false, threadedKills},
	{"full storage", true, fullStorage},
	{"pause", true, pause},
	{"engine without append", true, withoutAppend},
}

var (
	long = os.Getenv("SCENARIOS") == "long"
	seed = seedFrom(os.Getenv("SCENARIOS_SEED"))
)

func seedFrom(text string) uint64 {
	if n, err := strconv.ParseUint(text, 10, 64); err == nil {
		return n
	}
	return 1
}

func TestMain(m *testing.M) {
	flag.Parse()
	// Scenarios wait for other processes most of the time.
	if err := flag.Set("test.parallel", "24"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

func TestScenarios(t *testing.T) {
	t.Run("host", func(t *testing.T) {
		t.Parallel()
		all(t, host(t))
	})
	t.Run("fluent-bit", func(t *testing.T) {
		t.Parallel()
		f, err := flbhost.FindFluentBit(context.Background())
		if err != nil {
			t.Skip(err)
		}
		all(t, f)
	})
}

func all(t *testing.T, e flbhost.Engine) {
	_, isHost := e.(flbhost.Host)
	for _, s := range scenarios {
		if s.hostOnly && !isHost {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			s.play(newWorld(t, e, simulator.Options{Seed: seed, Now: clockOf(s.name)}))
		})
	}
}
