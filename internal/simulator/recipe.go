package simulator

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
)

// recipe is what makes a generated alert what it is: the same recipe renders
// the same bytes.
type recipe struct {
	tenantID, domain string
	seed, number     uint64
	created          ticks   // the first version's stamp
	edits            []ticks // the later versions' stamps
}

// random is the recipe's own source of chance, always the same sequence.
func (r *recipe) random() *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(r.tenantID))
	return rand.New(rand.NewPCG(r.seed^h.Sum64(), r.number))
}

func (r *recipe) id() string { return r.cast().id }

// plot is a scenario cast with a tenant's devices and accounts.
type plot struct {
	scenario
	scene *scene
	id    string
}

func (r *recipe) cast() plot {
	random := r.random()
	p := plot{scenario: scenarios[random.IntN(len(scenarios))]}
	p.scene = newScene(r, random)
	p.id = p.prefix + p.scene.guid()
	if p.prefix == "da" {
		p.id += "_1"
	}
	return p
}

// render makes the alert's newest version.
func (r *recipe) render() *face {
	p := r.cast()
	s := p.scene
	stamp := r.created
	if n := len(r.edits); n > 0 {
		stamp = r.edits[n-1]
	}
	created := r.created - ticks(s.random.IntN(90*ticksPerSecond))
	s.created = created
	first := created - ticks((60+s.random.IntN(7200))*ticksPerSecond) - ticks(s.random.IntN(1000))*10_000
	severity := pick(s, p.severities...)
	incident := fmt.Sprint(1000 + s.random.IntN(90_000))
	evidence := p.evidence(s)
	tags := []string{}
	if s.random.IntN(10) == 0 {
		tags = append(tags, "Defender Experts")
	}
	w := r.workflow()
	f := &face{stamp: stamp, text: stamp.String(), created: created, traits: traits{
		severity: severity, status: w.status, serviceSource: p.service, assignedTo: w.assignedTo,
		classification: w.classification, determination: w.determination,
	}}
	f.body = object{
		{"@odata.type", "#microsoft.graph.security.alert"},
		{"id", p.id}, {"providerAlertId", s.guid()}, {"incidentId", incident},
		{"status", w.status}, {"severity", severity}, {"classification", null(w.classification)}, {"determination", null(w.determination)},
		{"serviceSource", p.service}, {"detectionSource", p.detection}, {"productName", p.product},
		{"detectorId", guid("detector ", p.title)}, {"tenantId", r.tenantID},
		{"title", p.title}, {"description", p.description}, {"recommendedActions", p.actions},
		{"category", p.category}, {"categories", []string{p.category}}, {"assignedTo", null(w.assignedTo)},
		{"alertWebUrl", "https://security.microsoft.com/alerts/" + p.id + "?tid=" + r.tenantID},
		{"incidentWebUrl", "https://security.microsoft.com/incident2/" + incident + "/overview?tid=" + r.tenantID},
		{"actorDisplayName", null(p.actor)}, {"threatDisplayName", null(p.threat)}, {"threatFamilyName", null(p.family)},
		{"mitreTechniques", p.techniques}, {"createdDateTime", created}, {"lastUpdateDateTime", stamp},
		{"resolvedDateTime", w.resolved}, {"firstActivityDateTime", first}, {"lastActivityDateTime", created - ticks(s.random.IntN(600*ticksPerSecond))},
		{"alertPolicyId", nil}, {"investigationState", pick(s, "unsupportedAlertType", "queued", "running", "successfullyRemediated", "benign")},
		{"comments", w.comments}, {"customDetails", p.customDetails(s)}, {"additionalData", nil},
		{"evidence", evidence}, {"systemTags", tags},
	}.appendTo(make([]byte, 0, 6<<10))
	if p.newer {
		f.plain = hideNewer(f.body)
	}
	return f
}

func (p plot) customDetails(s *scene) any {
	if p.details == nil {
		return nil
	}
	return p.details(s)
}

// workflow is what the analysts have done to an alert so far.
type workflow struct {
	status, assignedTo, classification, determination string
	resolved                                          any // nil or ticks
	comments                                          []object
}

// keptComments is how many of an alert's first and last comments are served.
const keptComments = 10

// workflow replays the recipe's edits: taken up, judged, resolved, and from
// then on commented.
//
// It has a sequence of chance of its own, so that an edit changes nothing else.
func (r *recipe) workflow() workflow {
	s := &scene{random: r.random()}
	w := workflow{status: "new", comments: []object{}}
	remarks := []string{
		"Taken over from the night shift. Asking the device owner whether the activity was planned.",
		"Confirmed with the local administrator: not planned. Device isolated, memory image requested.",
		"Credentials reset, persistence removed, device back in service. Closing.",
		"Seen again in the weekly review; nothing new.",
	}
	for i, stamp := range r.edits {
		switch i {
		case 0:
			w.status, w.assignedTo = "inProgress", fmt.Sprintf("soc.tier%d@%s", 1+s.random.IntN(3), r.domain)
		case 1:
			w.classification, w.determination = pick(s, "truePositive", "truePositive", "falsePositive"), pick(s, "malware", "phishing", "compromisedAccount", "other")
		case 2:
			w.status, w.resolved = "resolved", stamp
		}
		if i >= keptComments && i < len(r.edits)-keptComments {
			continue
		}
		w.comments = append(w.comments, object{
			{"@odata.type", "#microsoft.graph.security.alertComment"},
			{"comment", remarks[min(i, len(remarks)-1)]},
			{"createdByDisplayName", w.assignedTo}, {"createdDateTime", stamp},
		})
	}
	return w
}

// null is nil for "".
func null(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func pick[T any](s *scene, options ...T) T { return options[s.random.IntN(len(options))] }
