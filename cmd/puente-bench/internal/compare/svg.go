package compare

import (
	"encoding/xml"
	"fmt"
	"math"
	"strings"
)

// Geometry of the plot, in pixels.
const (
	plotLeft   = 250 // left end of the bars
	plotScale  = 190 // length of a bar of ratio 1
	plotLimit  = 2.5 // ratio at which bars are cut; the label shows the actual ratio
	barHeight  = 13
	groupGap   = 12
	plotTop    = 64
	labelSpace = 150
)

// colours of the servers, from the colour-blind safe palette of Okabe and Ito.
var colours = []string{"#999999", "#e69f00", "#cc79a7", "#0072b2", "#009e73"}

// SVG returns a plot of the headline metrics: for each workload and server a bar as long as the ratio to the baseline. It
// needs only rectangles and text; a chart library would add font and image codecs to the module.
func (r *Report) SVG() string {
	var b strings.Builder
	y := plotTop
	width := plotLeft + int(plotScale*plotLimit) + labelSpace
	for _, spec := range r.Specs {
		for _, m := range headline(spec) {
			mid := y + (len(r.Servers)*barHeight)/2 + 4
			text(&b, plotLeft-10, mid, "end", "name", headlineTitle(spec, m))
			for i, s := range r.Servers {
				r.bar(&b, y, i, s, spec.Name, m)
				y += barHeight
			}
			y += groupGap
		}
	}
	var title strings.Builder
	_ = xml.EscapeText(&title, []byte(r.baseline().Title)) // a Builder takes everything
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img">
<title>Server CPU per message and memory per connection, relative to %s</title>
<style>text{font:11px system-ui,sans-serif;fill:#222;stroke:#fff;stroke-width:3px;paint-order:stroke}.name{font-size:12px}.head{font-size:15px;font-weight:600}.one{stroke:#888;stroke-dasharray:3 3}.back{fill:#fff}
@media(prefers-color-scheme:dark){text{fill:#ddd;stroke:#151515}.back{fill:#151515}}</style>
<rect class="back" width="%d" height="%d"/>
`, width, y+8, width, y+8, title.String(), width, y+8) + r.legend(y) + b.String() + "</svg>\n"
}

func (r *Report) legend(bottom int) string {
	var b strings.Builder
	text(&b, 16, 24, "start", "head", "Server CPU per message, memory per connection: shorter is better; "+r.baseline().Title+" is 1")
	x := plotLeft
	for i, s := range r.Servers {
		fmt.Fprintf(&b, `<rect x="%d" y="36" width="11" height="11" fill="%s"/>`+"\n", x, colours[i%len(colours)])
		text(&b, x+16, 46, "start", "name", s.Title)
		x += 32 + 8*len(s.Title)
	}
	one := plotLeft + plotScale
	fmt.Fprintf(&b, `<line class="one" x1="%d" y1="%d" x2="%d" y2="%d"/>`+"\n", one, plotTop-4, one, bottom-groupGap+4)
	return b.String()
}

func (r *Report) bar(b *strings.Builder, y, i int, s ServerInfo, spec string, m metric) {
	ratio, ok := r.ratio(s.Name, spec, m)
	if !ok {
		text(b, plotLeft+4, y+barHeight-3, "start", "", r.figures(s.Name, spec, m))
		return
	}
	length := math.Max(plotScale*math.Min(math.Max(ratio, 0), plotLimit), 1)
	fmt.Fprintf(b, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>`+"\n", plotLeft, y, length, barHeight-2, colours[i%len(colours)])
	v, _ := r.value(s.Name, spec, m)
	unit := " µs"
	if m.title != cpu.title {
		unit = " KiB"
	}
	label := figure(v) + unit
	if s.Name != r.baseline().Name {
		label += fmt.Sprintf(" (%.2f×)", ratio)
	}
	text(b, plotLeft+int(length)+5, y+barHeight-3, "start", "", label)
}

func text(b *strings.Builder, x, y int, anchor, class, s string) {
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="%s" class="%s">`, x, y, anchor, class)
	_ = xml.EscapeText(b, []byte(s)) // a Builder takes everything
	b.WriteString("</text>\n")
}
