package docker_test

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// baseImages are those that the Dockerfile builds from.
func baseImages(t *testing.T) (images []string) {
	t.Helper()
	from := regexp.MustCompile(`(?m)^(?:FROM |ARG FLUENT_BIT=)([\w./-]+:[\w.-]+)`)
	for _, found := range from.FindAllStringSubmatch(read(t, "Dockerfile"), -1) {
		images = append(images, found[1])
	}
	if len(images) != 2 {
		t.Fatalf("base images in the Dockerfile: %q, want Fluent Bit's and Go's", images)
	}
	return images
}

// A package that .dockerignore keeps from the builder would be missed only there.
func TestBuilderGetsEveryPackage(t *testing.T) {
	ignore := "\n" + read(t, "../.dockerignore")
	out, err := exec.Command("go", "list", "-deps", "../plugin", "../cmd/defenderctl").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, path := range strings.Fields(string(out)) {
		inside, ours := strings.CutPrefix(path, "fluent-bit-defender/")
		if folder, _, _ := strings.Cut(inside, "/"); ours && !strings.Contains(ignore, "\n!"+folder+"\n") {
			t.Errorf(".dockerignore leaves %s out: it needs a line !%s", path, folder)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
