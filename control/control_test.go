package control

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// engine answers with what it was asked.
type engine struct{ asked []RedeliverRequest }

func (e *engine) Audit(ctx context.Context, r AuditRequest) (*Audit, error) {
	if r.Tenant == "nobody" {
		return nil, errors.New("there is no tenant nobody")
	}
	if r.Tenant == "slow" {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return &Audit{Stream: r.Stream, Shown: int(r.Since / time.Hour)}, nil
}

func (e *engine) Redeliver(_ context.Context, r RedeliverRequest) error {
	e.asked = append(e.asked, r)
	return nil
}

func TestQuestionsAndAnswers(t *testing.T) {
	folder := t.TempDir()
	if _, err := Dial(t.Context(), folder); !errors.Is(err, ErrNobody) {
		t.Errorf("without a server Dial says %v, want ErrNobody", err)
	}
	if err := os.WriteFile(filepath.Join(folder, socketName), nil, 0o600); err != nil {
		t.Fatal(err) // what a killed process left behind
	}
	e := &engine{}
	server, err := Listen(folder, e)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(folder, socketName)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket is %v (%v), want it for its owner alone", info.Mode(), err)
	}
	client, err := Dial(t.Context(), folder)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.http.CloseIdleConnections)

	answer, err := client.Audit(t.Context(), AuditRequest{Stream{"soc", "contoso", "alerts"}, 24 * time.Hour})
	if err != nil || answer.Shown != 24 || answer.Instance != "soc" || answer.Tenant != "contoso" {
		t.Errorf("the answer is %+v (%v)", answer, err)
	}
	if _, err = client.Audit(t.Context(), AuditRequest{Stream: Stream{Tenant: "nobody"}}); err == nil || !strings.Contains(err.Error(), "no tenant nobody") {
		t.Errorf("an error arrives as %v", err)
	}
	if err := client.Redeliver(t.Context(), RedeliverRequest{Alerts: []Alert{{ID: "a"}}}); err != nil || len(e.asked) != 1 || e.asked[0].Alerts[0].ID != "a" {
		t.Errorf("asked for %+v (%v)", e.asked, err)
	}

	answered := make(chan error)
	go func() {
		_, err := client.Audit(t.Context(), AuditRequest{Stream: Stream{Tenant: "slow"}})
		answered <- err
	}()
	if err := server.Close(); err != nil {
		t.Error(err)
	}
	if err := <-answered; err == nil {
		t.Error("a question outlives the server")
	}
}

func TestALongPathIsRefusedInWords(t *testing.T) {
	folder := filepath.Join(t.TempDir(), strings.Repeat("x", 120))
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(folder, &engine{}); err == nil || !strings.Contains(err.Error(), "too long for a unix socket") {
		t.Errorf("got %v", err)
	}
}
