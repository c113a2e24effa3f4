package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"fluent-bit-defender/internal/flbhost"
)

// screen is what a person sees of the demo.
type screen struct {
	to     io.Writer
	width  int // of a line
	colour bool
}

// The colours, as terminals number them.
const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	yellow = "33"
	green  = "32"
	cyan   = "36"
)

var severityColours = map[string]string{"high": red, "medium": yellow, "low": cyan}

// newScreen fits the terminal, and uses colours on it unless plain or NO_COLOR (https://no-color.org) forbids.
func newScreen(to io.Writer, plain bool) *screen {
	s := &screen{to: to, width: 116}
	file, ok := to.(*os.File)
	if !ok {
		return s
	}
	if columns := terminalWidth(file); columns > 0 {
		s.width = min(max(columns, 80), 140)
		s.colour = !plain && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	}
	return s
}

// terminalWidth is the number of columns of the terminal that file is; 0: it is none.
func terminalWidth(file *os.File) int {
	size, err := unix.IoctlGetWinsize(int(file.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0
	}
	return max(int(size.Col), 1)
}

func (s *screen) paint(colour, text string) string {
	if !s.colour || colour == "" || text == "" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// say prints text, broken where the line ends.
func (s *screen) say(colour, text, indent string) {
	fmt.Fprintln(s.to, s.paint(colour, wrap(text, s.width, indent)))
}

func (s *screen) sayf(format string, args ...any) { s.say("", fmt.Sprintf(format, args...), "   ") }

func (s *screen) heading(text string) {
	fmt.Fprintln(s.to)
	s.say(bold, text, "")
}

// note is a remark of the demo itself.
func (s *screen) note(text string) { s.say(dim, "-- "+text, "   ") }

// logged shows a line of the engine's log without its time stamp and without Microsoft's own words, which are long.
func (s *screen) logged(line string) {
	if _, rest, found := strings.Cut(line, "] "); found {
		line = rest
	}
	if said, _, found := strings.Cut(line, "; answer: "); found {
		line = said + " …"
	}
	s.say(yellow, "   log: "+line, "        ")
}

// The widths of an alert's columns; its title has what remains.
const (
	timeWidth     = 8
	customerWidth = 9
	severityWidth = 8
	productWidth  = 14
	aboutWidth    = 16
	betweenWidth  = 2
	titleAtLeast  = 38 // else the product is left out
)

// row is an alert in a line.
type row struct{ time, customer, severity, mark, title, product, about string }

func (s *screen) row(r row, severityColour string) {
	for _, cell := range []*string{&r.customer, &r.severity, &r.title, &r.product, &r.about} {
		*cell = inLine(*cell)
	}
	between := strings.Repeat(" ", betweenWidth)
	titleWidth := s.width - timeWidth - customerWidth - severityWidth - aboutWidth - 4*betweenWidth
	product := ""
	if wide := titleWidth - productWidth - betweenWidth; wide >= titleAtLeast {
		titleWidth, product = wide, pad(r.product, productWidth)+between
	}
	titleWidth -= utf8.RuneCountInString(r.mark)
	fmt.Fprintln(s.to, strings.TrimRight(pad(r.time, timeWidth)+between+pad(r.customer, customerWidth)+between+
		s.paint(severityColour, pad(r.severity, severityWidth))+between+
		s.paint(bold, r.mark)+pad(r.title, titleWidth)+between+product+short(r.about, aboutWidth), " "))
}

// alert shows a record.
func (s *screen) alert(record flbhost.Record, what arrival) {
	severity := text(record, "severity")
	r := row{
		time: record.Time.UTC().Format(time.TimeOnly), customer: text(record, "tenant_name"),
		severity: strings.TrimSuffix(severity, "rmational"), // informational is as long as three columns
		title:    text(record, "title"), product: shortProduct.Replace(text(record, "productName")), about: entity(record),
	}
	switch {
	case what.updated:
		r.mark = "updated: "
	case what.late > 0:
		r.mark = fmt.Sprintf("%s late: ", what.late.Round(time.Second))
	}
	s.row(r, severityColours[severity])
}

// shortProduct leaves out of products' names what most of them begin or end with.
var shortProduct = strings.NewReplacer("Microsoft ", "", "Defender for ", "", "Defender ", "", " Protection", "", "Data Loss Prevention", "Purview DLP")

// opening says what is about to be seen.
func (d *demo) opening(engine string) {
	d.say(bold, "The plugin runs in "+engine+" and reads the alerts of three customers.", "")
	d.say("", fmt.Sprintf("Entra ID and Microsoft Graph are simulated at %s: no Microsoft account is needed, and nothing leaves this machine. "+
		"Every customer is polled every %s. It takes some 20 seconds; Ctrl-C ends it.\n", d.server.URL, demoPoll), "")
	d.row(row{time: "TIME UTC", customer: "CUSTOMER", severity: "SEVERITY", title: "ALERT", product: "PRODUCT", about: "DEVICE OR USER"}, "")
}

// closing prints the figures and what to do next. An alert that is missing or came twice is an error.
func (d *demo) closing() error {
	owed, missing, doubled := d.owed(), d.missing(d.tenants...), d.doubled()
	whole := missing+doubled == 0 && len(d.records) == owed
	colour := green
	if !whole {
		colour = red
	}
	d.heading("Measured")
	d.say(colour, fmt.Sprintf("owed %d, delivered %d, missing %d, doubled %d (%d tenants, %d alerts and %d updates of them)",
		owed, len(d.records), missing, doubled, len(d.tenants), len(d.alerts), len(d.arrivals)-len(d.alerts)), "")
	median, longest := d.delays()
	signIns, pages := requests(d.sim, d.tenants)
	d.sayf("from visible to delivered: median %.1f s, longest %.1f s (live alerts); %d requests to Graph, %d to Entra ID",
		median.Seconds(), longest.Seconds(), pages, signIns)
	if d.usage.memory > 0 {
		d.sayf("the engine with the plugin: %s", d.usage)
	}
	if !whole {
		return fmt.Errorf("%d owed, %d delivered, %d missing, %d doubled", owed, len(d.records), missing, doubled)
	}
	if err := d.writeRecords(); err != nil {
		return err
	}
	d.heading("One record, in part")
	d.sayf("%s", sample(d.records))
	d.sayf("all of them: %s", d.shown(d.recordsPath()))
	d.heading("Next, with a tenant of your own")
	d.sayf("1. README.md, \"From zero to the first real tenant\": one app, one consent, a few lines in fluent-bit.conf")
	d.sayf("2. %s check -c fluent-bit.conf    signs in everywhere, says what is wrong and who must act", os.Args[0])
	d.sayf("3. fluent-bit -c fluent-bit.conf")
	return nil
}

// sample is a record with the most telling of its fields.
func sample(records []flbhost.Record) string {
	telling := []string{"record_id", "tenant_name", "severity", "title", "mitreTechniques", "evidence.device.deviceDnsName", "evidence.process.processCommandLine"}
	for _, record := range records {
		var fields []string
		for _, key := range telling {
			if value, err := json.Marshal(record.Fields[key]); err == nil && record.Fields[key] != nil {
				fields = append(fields, fmt.Sprintf("%q: %s", key, short(string(value), 80)))
			}
		}
		if len(fields) == len(telling) {
			return fmt.Sprintf("{%s, … %d more}", strings.Join(fields, ", "), len(record.Fields)-len(fields))
		}
	}
	return ""
}

// shown is a path as one would type it here.
func (s *screen) shown(path string) string {
	if here, err := os.Getwd(); err == nil {
		if near, err := filepath.Rel(here, path); err == nil && len(near) < len(path) {
			return near
		}
	}
	return path
}

// pad makes text exactly that wide, cutting it where it is longer.
func pad(text string, width int) string {
	text = short(text, width)
	return text + strings.Repeat(" ", width-utf8.RuneCountInString(text))
}

// short cuts text that is longer than width.
func short(text string, width int) string {
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	return string([]rune(text)[:width-1]) + "…"
}

// wrap breaks text between words; further lines begin with indent.
func wrap(text string, width int, indent string) string {
	var lines []string
	line := ""
	for _, word := range strings.SplitAfter(text, " ") {
		if line != "" && utf8.RuneCountInString(line+strings.TrimRight(word, " ")) > width {
			lines, line = append(lines, strings.TrimRight(line, " ")), indent
		}
		line += word
	}
	return strings.Join(append(lines, line), "\n")
}
