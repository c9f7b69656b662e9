package main

import (
	"fmt"
	"image/color"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// The colours are those of Okabe and Ito, which differ for every kind of sight.
var (
	blue   = color.RGBA{0, 114, 178, 255}
	orange = color.RGBA{230, 159, 0, 255}
	green  = color.RGBA{0, 158, 115, 255}
	black  = color.RGBA{0, 0, 0, 255}
	grey   = color.RGBA{210, 210, 210, 255}
)

var stepGlyphs = []struct {
	step  string
	glyph draw.GlyphStyle
}{
	{fromScratch, draw.GlyphStyle{Color: blue, Radius: vg.Points(4), Shape: draw.CircleGlyph{}}},
	{oneLeaves, draw.GlyphStyle{Color: orange, Radius: vg.Points(4), Shape: draw.PyramidGlyph{}}},
	{oneJoins, draw.GlyphStyle{Color: green, Radius: vg.Points(3.5), Shape: draw.BoxGlyph{}}},
}

// plots draws the times of all peers in all scenarios, and how time grows.
func plots(seen results, docs, images string) error {
	grid, err := peerPlots(seen)
	if err != nil {
		return err
	}
	if err := drawGrid(grid, 2, 26*vg.Centimeter, 5.8*vg.Centimeter*vg.Length(len(grid)), "benchmarks-peers", docs, images); err != nil {
		return err
	}
	if len(seen.Scaling) == 0 {
		return nil // that piece of the run is still to come
	}
	growth, err := growthPlot(seen)
	if err != nil {
		return err
	}
	return drawGrid([][]*plot.Plot{{growth}}, 1, 18*vg.Centimeter, 11*vg.Centimeter, "benchmarks-scaling", docs, images)
}

func newPlot(title string) *plot.Plot {
	p := plot.New()
	p.Title.Text = title
	p.Title.Padding = vg.Points(4)
	for _, style := range []*text.Style{&p.Title.TextStyle, &p.X.Label.TextStyle, &p.Y.Label.TextStyle,
		&p.X.Tick.Label, &p.Y.Tick.Label, &p.Legend.TextStyle} {
		style.Font.Typeface, style.Font.Variant = "Liberation", font.Variant("Sans")
	}
	p.Title.TextStyle.Font.Size = vg.Points(11)
	return p
}

// peerPlots returns one plot for each scenario, in two columns; only those on the left
// name the peers.
func peerPlots(seen results) ([][]*plot.Plot, error) {
	low, high := time.Hour, time.Duration(0)
	for _, m := range seen.Measured {
		if m.NotMeasured == "" && m.Step != rolling {
			low, high = min(low, m.Median), max(high, m.Median)
		}
	}
	high = max(high, seen.CutOff)
	all := scenarios(seen.Quick)
	var grid [][]*plot.Plot
	for i, s := range all {
		p := newPlot(s.String())
		p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.TickerFunc(timeTicks)
		p.X.Min, p.X.Max = low.Seconds()*1e3/1.5, high.Seconds()*1e3*1.5
		p.Y.Min, p.Y.Max = -0.6, float64(len(contestants))-0.4
		p.Y.Tick.Length, p.Y.LineStyle.Width = 0, 0
		lines := plotter.NewGrid()
		lines.Vertical.Color, lines.Horizontal.Color = grey, grey
		p.Add(lines)
		var names []plot.Tick
		for n, c := range contestants {
			names = append(names, plot.Tick{Value: float64(len(contestants) - 1 - n), Label: c.Name})
		}
		p.Y.Tick.Marker = plot.ConstantTicks(names)
		cut := plotter.XYs{}
		for k, glyph := range stepGlyphs {
			points := plotter.XYs{}
			for n, c := range contestants {
				y := float64(len(contestants) - 1 - n)
				if m := measured(seen.Measured, s.Name, c.Name, glyph.step); m != nil {
					points = append(points, plotter.XY{X: m.Median.Seconds() * 1e3, Y: y})
				} else if k == 0 {
					cut = append(cut, plotter.XY{X: seen.CutOff.Seconds() * 1e3, Y: y})
				}
			}
			if err := scatter(p, points, glyph.glyph); err != nil {
				return nil, err
			}
		}
		if err := scatter(p, cut, draw.GlyphStyle{Color: black, Radius: vg.Points(4), Shape: draw.CrossGlyph{}}); err != nil {
			return nil, err
		}
		if i%2 == 0 {
			grid = append(grid, make([]*plot.Plot, 2))
		}
		grid[len(grid)-1][i%2] = p
	}
	if last := grid[len(grid)-1]; last[1] == nil {
		last[1] = key()
	}
	return grid, nil
}

func scatter(p *plot.Plot, points plotter.XYs, glyph draw.GlyphStyle) error {
	if len(points) == 0 {
		return nil
	}
	s, err := plotter.NewScatter(points)
	if err != nil {
		return err
	}
	s.GlyphStyle = glyph
	p.Add(s)
	return nil
}

// key is a plot with nothing but the legend.
func key() *plot.Plot {
	p := newPlot("time of one plan, warm; lower is better")
	p.HideAxes()
	p.Legend.Top, p.Legend.Left = true, true
	p.Legend.YOffs = vg.Points(-10)
	p.Legend.Padding = vg.Points(5)
	add := func(name string, glyph draw.GlyphStyle) {
		p.Legend.Add(name, &plotter.Scatter{XYs: plotter.XYs{{X: 0, Y: 0}}, GlyphStyle: glyph})
	}
	for _, g := range stepGlyphs {
		add(g.step, g.glyph)
	}
	add("cut off, or not run", draw.GlyphStyle{Color: black, Radius: vg.Points(4), Shape: draw.CrossGlyph{}})
	return p
}

// timeTicks labels the powers of ten between two numbers of milliseconds, and where they
// are few 2 and 5 times these.
func timeTicks(low, high float64) (ticks []plot.Tick) {
	for value := 1e-3; value <= high; value *= 10 {
		for n := 1.0; n < 10; n++ {
			if at := value * n; at >= low && at <= high {
				tick := plot.Tick{Value: at}
				if n == 1 || high < 100*low && (n == 2 || n == 5) {
					tick.Label = fmt.Sprintf("%.4g ms", at)
					if at > 999 {
						tick.Label = fmt.Sprintf("%.4g s", at/1e3)
					}
				}
				ticks = append(ticks, tick)
			}
		}
	}
	return ticks
}

func growthPlot(seen results) (*plot.Plot, error) {
	p := newPlot("1,000 members, from scratch")
	p.X.Label.Text, p.Y.Label.Text = "partitions", "time of one plan"
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.Y.Tick.Marker = plot.TickerFunc(timeTicks)
	lines := plotter.NewGrid()
	lines.Vertical.Color, lines.Horizontal.Color = grey, grey
	p.Add(lines)
	p.Legend.Top, p.Legend.Left = true, true
	p.Legend.Padding = vg.Points(3)
	var sizes []int
	colours := []color.Color{blue, orange, green}
	for _, c := range contestants {
		points := plotter.XYs{}
		for _, m := range seen.Scaling {
			if m.Peer == c.Name && m.NotMeasured == "" {
				points = append(points, plotter.XY{X: float64(m.Stats.Partitions), Y: m.Median.Seconds() * 1e3})
				sizes = append(sizes, m.Stats.Partitions)
			}
		}
		if len(points) == 0 {
			continue
		}
		line, marks, err := plotter.NewLinePoints(points)
		if err != nil {
			return nil, err
		}
		line.Color, line.Width = colours[0], vg.Points(1.5)
		marks.GlyphStyle = draw.GlyphStyle{Color: colours[0], Radius: vg.Points(3.5), Shape: draw.CircleGlyph{}}
		if len(colours) > 1 {
			colours = colours[1:]
		}
		p.Add(line, marks)
		p.Legend.Add(c.Name, line, marks)
	}
	slices.Sort(sizes)
	var ticks []plot.Tick
	for _, n := range slices.Compact(sizes) {
		ticks = append(ticks, plot.Tick{Value: float64(n), Label: thousands(n)})
	}
	p.X.Tick.Marker = plot.ConstantTicks(ticks)
	// Room for the legend above the lines.
	p.Y.Max *= 4
	return p, nil
}

// drawGrid writes the plots as SVG, and where a folder for images is given as PNG.
func drawGrid(grid [][]*plot.Plot, columns int, width, height vg.Length, name, docs, images string) error {
	svg := vgsvg.New(width, height)
	drawOn(svg, grid, columns)
	if err := writeTo(filepath.Join(docs, name+".svg"), svg); err != nil {
		return err
	}
	if images == "" {
		return nil
	}
	png := vgimg.PngCanvas{Canvas: vgimg.New(width, height)}
	drawOn(png, grid, columns)
	return writeTo(filepath.Join(images, name+".png"), png)
}

func drawOn(canvas vg.CanvasSizer, grid [][]*plot.Plot, columns int) {
	tiles := draw.Tiles{Rows: len(grid), Cols: columns, PadX: 6 * vg.Millimeter, PadY: 4 * vg.Millimeter,
		PadTop: 3 * vg.Millimeter, PadBottom: 3 * vg.Millimeter, PadLeft: 3 * vg.Millimeter, PadRight: 6 * vg.Millimeter}
	on := draw.New(canvas)
	on.SetColor(color.White)
	on.Fill(on.Rectangle.Path())
	for row, canvases := range plot.Align(grid, tiles, on) {
		for column, c := range canvases {
			if p := grid[row][column]; p != nil {
				p.Draw(c)
			}
		}
	}
}

func writeTo(path string, content io.WriterTo) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err := content.WriteTo(file); err != nil {
		file.Close()
		return fmt.Errorf("%s: %w", path, err)
	}
	return file.Close()
}
