package planview

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	pageMargin   = 24.0
	leastLeft    = 64.0 // room for the numbers of the scale
	marginRight  = 28.0
	headHeight   = 78.0
	panelHead    = 40.0
	plotHeight   = 230.0
	legendHeight = 30.0
	leastWidth   = 760.0

	ink   = "#1f2933"
	faint = "#7b8794"
	grid  = "#e4e7eb"
)

// palette is of colours that stay apart in print and for most eyes; light says on which
// of them dark text is read.
var palette = []struct {
	fill  string
	light bool
}{
	{"#4e79a7", false}, {"#f2a65a", true}, {"#59a14f", false}, {"#b07aa1", false}, {"#76b7b2", true},
	{"#e15759", false}, {"#edc948", true}, {"#9c755f", false}, {"#8cb8e8", true}, {"#5f6c7b", false},
}

// drawing is the geometry that follows from the picture.
type drawing struct {
	bytes.Buffer
	Picture
	pitch, column float64 // from column to column, and how wide one is
	labels        float64 // the height of the labels under a panel
	slanted       bool
	most          float64 // the weight at the top of the scale
	tick          float64
	width, left   float64 // of the page, and where the columns begin
}

// SVG writes the picture: panels one above the other on one scale, members as columns,
// partitions as blocks as high as they are heavy.
func (p Picture) SVG(w io.Writer) error {
	d := &drawing{Picture: p}
	d.measure()
	legend := d.legendRows()
	panel := panelHead + plotHeight + d.labels
	height := headHeight + panel*float64(len(p.Panels)) + legendHeight*float64(len(legend)) + 18
	fmt.Fprintf(d, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f" font-family="Inter, 'Helvetica Neue', 'DejaVu Sans', Arial, sans-serif" role="img">`+"\n",
		d.width, height, d.width, height)
	fmt.Fprintf(d, "<title>%s</title>\n", escape(p.Title))
	d.WriteString(`<defs><pattern id="hatch" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="3" height="7" fill="#fff" fill-opacity="0.45"/></pattern></defs>` + "\n")
	fmt.Fprintf(d, `<rect width="%.0f" height="%.0f" fill="#fff"/>`+"\n", d.width, height)
	d.text(pageMargin, 36, 20, ink, "start", "600", p.Title)
	d.text(pageMargin, 58, 13, faint, "start", "400", p.Subtitle)
	for i, panel := range p.Panels {
		d.panel(headHeight+float64(i)*(panelHead+plotHeight+d.labels), panel, i == 0)
	}
	y := headHeight + panel*float64(len(p.Panels)) + 8
	for _, row := range legend {
		x := pageMargin
		for _, entry := range row {
			entry.draw(x, y)
			d.text(x+22, y+11, 12, ink, "start", "400", entry.text)
			x += entry.width
		}
		y += legendHeight
	}
	d.WriteString("</svg>\n")
	_, err := w.Write(d.Bytes())
	return err
}

// measure sets the geometry: columns as wide as the page gives, but never too thin to see.
func (d *drawing) measure() {
	members := float64(max(len(d.Members), 1))
	d.pitch = min(max(1080/members, 30), 150)
	d.column = d.pitch * 0.72
	longest, line, notes := 0, 0, false
	for i := range d.Members {
		m := &d.Members[i]
		line = max(line, utf8.RuneCountInString(m.Name), utf8.RuneCountInString(m.Note))
		longest = max(longest, utf8.RuneCountInString(slantedLabel(m)))
		notes = notes || m.Note != ""
	}
	d.left = leastLeft
	d.slanted = float64(line)*7 > d.pitch-6
	switch {
	case d.slanted:
		d.labels = 34 + float64(longest)*4.5
		// The first one begins left of its column.
		d.left = max(leastLeft, float64(longest)*4.9-d.pitch/2+pageMargin/2)
	case notes:
		d.labels = 52
	default:
		d.labels = 36
	}
	d.width = max(leastWidth, d.left+marginRight+d.pitch*members)
	for _, panel := range d.Panels {
		for i, column := range panel.Columns {
			d.most = max(d.most, weightOf(column), panel.Share*d.Members[i].Capacity)
		}
	}
	if d.most < 1/mostWeight {
		d.most = 1 // there is nothing to see
	}
	d.tick = math.Pow(10, math.Floor(math.Log10(d.most/4)))
	for _, factor := range []float64{1, 2, 5, 10} {
		if d.tick*factor*4.6 >= d.most {
			d.tick *= factor
			break
		}
	}
	if d.Unit == "partitions" {
		d.tick = max(1, math.Round(d.tick))
	}
	d.most = math.Ceil(d.most/d.tick-1e-9) * d.tick
}

func weightOf(column []Block) float64 {
	sum := 0.0
	for _, b := range column {
		sum += b.Weight
	}
	return sum
}

func (d *drawing) panel(top float64, panel Panel, before bool) {
	d.text(pageMargin, top+17, 15, ink, "start", "600", panel.Title)
	d.text(d.width-marginRight, top+17, 12, faint, "end", "400", panel.Note)
	base := top + panelHead + plotHeight
	scale := (plotHeight - 18) / d.most
	right := d.width - marginRight
	for value := 0.0; value <= d.most*1.001; value += d.tick {
		y := base - value*scale
		stroke := grid
		if value == 0 {
			stroke = "#9aa5b1"
		}
		fmt.Fprintf(d, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s"/>`+"\n", d.left-6, y, right, y, stroke)
		d.text(d.left-12, y+4, 11, faint, "end", "400", Number(value))
	}
	at := func(i int) float64 { return d.left + float64(i)*d.pitch + (d.pitch-d.column)/2 }
	absent := func(m *Member) bool { return before && m.Joins || !before && m.Leaves }
	for i, column := range panel.Columns {
		d.blocks(at(i), base, scale, column, before)
	}
	for i := range panel.Columns {
		if m := &d.Members[i]; panel.Share > 0 && !absent(m) {
			y := base - panel.Share*m.Capacity*scale
			fmt.Fprintf(d, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="#c2410c" stroke-width="1.4" stroke-dasharray="5 3"/>`+"\n",
				d.left+float64(i)*d.pitch, y, d.left+float64(i+1)*d.pitch, y)
		}
	}
	for i, column := range panel.Columns {
		m := &d.Members[i]
		x := at(i) + d.column/2
		if !absent(m) || len(column) > 0 {
			d.columnHead(x, base-weightOf(column)*scale-5, column)
		}
		d.label(x, base, m, absent(m))
	}
}

// columnHead tells the weight of a column above it, and where that is not their number how
// many partitions it has.
func (d *drawing) columnHead(x, y float64, column []Block) {
	text := Number(weightOf(column))
	if d.Unit != "partitions" && d.pitch >= 84 {
		text = fmt.Sprintf("%s in %d", text, len(column))
	}
	size := 12.0
	if d.pitch < 40 {
		size = 9
	}
	fmt.Fprintf(d, `<text x="%.1f" y="%.1f" font-size="%.0f" fill="%s" text-anchor="middle" stroke="#fff" stroke-width="3" paint-order="stroke">%s</text>`+"\n",
		x, y, size, ink, escape(text))
}

func (d *drawing) label(x, base float64, m *Member, absent bool) {
	colour := ink
	if absent {
		colour = "#b3bcc6"
	}
	if !d.slanted {
		d.text(x, base+18, 12, colour, "middle", "400", m.Name)
		d.text(x, base+34, 11, faint, "middle", "400", m.Note)
		return
	}
	fmt.Fprintf(d, `<text transform="translate(%.1f %.1f) rotate(-42)" font-size="11" fill="%s" text-anchor="end">%s</text>`+"\n",
		x+5, base+14, colour, escape(slantedLabel(m)))
}

// slantedLabel is what a member is called where there is no room for a second line.
func slantedLabel(m *Member) string {
	if m.Note == "" {
		return m.Name
	}
	return Short(m.Name+" · "+m.Note, 30)
}

// blocks stacks a column. Neighbours too thin to be told apart are drawn as one.
func (d *drawing) blocks(x, base, scale float64, column []Block, before bool) {
	y := base
	for start := 0; start < len(column); {
		end, height := start+1, column[start].Weight*scale
		for height < 3 && end < len(column) && column[end].Topic == column[start].Topic &&
			column[end].Moves == column[start].Moves && column[end].Weight*scale < 3 {
			height += column[end].Weight * scale
			end++
		}
		if height > 0 {
			y -= height
			d.block(x, y, d.column, height, column[start:end], before)
		}
		start = end
	}
}

func (d *drawing) block(x, y, width, height float64, blocks []Block, before bool) {
	first := blocks[0]
	colour := palette[first.Topic%len(palette)]
	what := fmt.Sprintf("%s[%d]", d.Topics[first.Topic], first.Partition)
	if len(blocks) > 1 {
		what = fmt.Sprintf("%d partitions of %s", len(blocks), d.Topics[first.Topic])
	}
	gap := 0.0
	if height >= 3 {
		gap = 1
	}
	fmt.Fprintf(d, `<g><title>%s, %s</title>`, escape(what), Number(weightOf(blocks)))
	d.shape(x, y+gap/2, width, height-gap, colour.fill, first.Moves, before)
	if len(blocks) == 1 && height >= 13 && width >= 6.5*float64(len(strconv.Itoa(int(first.Partition))))+4 {
		text := "#fff"
		if colour.light || first.Moves && before {
			text = ink
		}
		halo := ""
		if first.Moves && !before {
			text, halo = ink, ` stroke="#fff" stroke-width="3" stroke-opacity="0.8" paint-order="stroke"`
		}
		fmt.Fprintf(d, `<text x="%.1f" y="%.1f" font-size="10.5" fill="%s" text-anchor="middle"%s>%d</text>`,
			x+width/2, y+height/2+3.8, text, halo, first.Partition)
	}
	d.WriteString("</g>\n")
}

// shape draws one block: what leaves is pale with a dashed edge, what arrived is hatched
// with a dark one.
func (d *drawing) shape(x, y, width, height float64, fill string, moves, before bool) {
	height = max(height, 0.1)
	switch {
	case !moves:
		fmt.Fprintf(d, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="1.5" fill="%s"/>`, x, y, width, height, fill)
	case before:
		fmt.Fprintf(d, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="1.5" fill="%s" fill-opacity="0.3"/>`, x, y, width, height, fill)
		if height >= 3 {
			fmt.Fprintf(d, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="1.5" fill="none" stroke="%s" stroke-width="1.2" stroke-dasharray="3 2"/>`, x+0.6, y+0.6, width-1.2, max(height-1.2, 0.1), fill)
		}
	default:
		fmt.Fprintf(d, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="1.5" fill="%s"/>`, x, y, width, height, fill)
		fmt.Fprintf(d, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="1.5" fill="url(#hatch)"/>`, x, y, width, height)
		if height >= 3 {
			fmt.Fprintf(d, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="1.5" fill="none" stroke="%s" stroke-width="1.6"/>`, x+0.8, y+0.8, width-1.6, max(height-1.6, 0.1), ink)
		}
	}
}

type legendEntry struct {
	text  string
	width float64
	draw  func(x, y float64)
}

// legendRows breaks the legend into rows that fit.
func (d *drawing) legendRows() [][]legendEntry {
	const mostTopics = 12
	var entries []legendEntry
	add := func(text string, draw func(x, y float64)) {
		entries = append(entries, legendEntry{text, 22 + float64(utf8.RuneCountInString(text))*7 + 26, draw})
	}
	for i, topic := range d.Topics {
		if i == mostTopics {
			add(fmt.Sprintf("and %d more topics, in the same colours", len(d.Topics)-mostTopics), func(float64, float64) {})
			break
		}
		add(Short(topic, 40), func(x, y float64) { d.shape(x, y, 15, 14, palette[i%len(palette)].fill, false, false) })
	}
	add("moves away", func(x, y float64) { d.shape(x, y, 15, 14, "#5f6c7b", true, true) })
	add("moved here", func(x, y float64) { d.shape(x, y, 15, 14, "#5f6c7b", true, false) })
	add("even share", func(x, y float64) {
		fmt.Fprintf(d, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="#c2410c" stroke-width="1.6" stroke-dasharray="5 3"/>`, x, y+7, x+16, y+7)
	})
	add("height: "+d.Unit, func(x, y float64) {
		fmt.Fprintf(d, `<path d="M%.1f %.1fv14m-3 -11l3 -3l3 3m-6 8l3 3l3 -3" stroke="%s" fill="none"/>`, x+8, y, faint)
	})
	var rows [][]legendEntry
	room := 0.0
	for _, e := range entries {
		if room < e.width {
			rows, room = append(rows, nil), d.width-marginRight-24
		}
		rows[len(rows)-1] = append(rows[len(rows)-1], e)
		room -= e.width
	}
	return rows
}

func (d *drawing) text(x, y, size float64, fill, anchor, weight, text string) {
	if text == "" {
		return
	}
	fmt.Fprintf(d, `<text x="%.1f" y="%.1f" font-size="%.0f" font-weight="%s" fill="%s" text-anchor="%s">%s</text>`+"\n",
		x, y, size, weight, fill, anchor, escape(text))
}

// escape makes text fit for XML and for eyes: what cannot be shown becomes U+FFFD.
func escape(text string) string {
	shown := strings.Map(func(r rune) rune {
		if r == ' ' || unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(shown))
	return b.String()
}
