/**
 * Color the tiles of wsi_scale by a measurement.
 *
 * First drag tiles.geojson onto the slide. Then, in QuPath 0.5 or later: Automate > Script editor, open this file, Run.
 * Tiles without a value (their class says why) keep the color of their class.
 */

import qupath.lib.color.ColorMaps
import qupath.lib.gui.tools.MeasurementMapper

// One of: optimal_mpp, confidence, tissue_fraction, finest_mpp, dominant_radius_um
def measurement = "dominant_radius_um"
// Viridis, Magma, Inferno, Plasma, ...
def colors = "Viridis"
// The range of colors, in the unit of the measurement; null: from the least to the largest value
Double least = null
Double largest = null

def tiles = getTileObjects()
def values = tiles.collect { it.measurements[measurement] }.findAll { it != null && !it.isNaN() }
if (values.isEmpty()) {
    println("No tile has the measurement " + measurement + "; drag tiles.geojson onto the slide first")
    return
}

def mapper = new MeasurementMapper(ColorMaps.getColorMaps().get(colors), measurement, tiles)
mapper.setDisplayMinValue(least == null ? values.min() : least)
mapper.setDisplayMaxValue(largest == null ? values.max() : largest)

def viewer = getCurrentViewer()
viewer.getOverlayOptions().setMeasurementMapper(mapper)
viewer.getOverlayOptions().setFillDetections(true)
viewer.repaintEntireImage()
println(values.size() + " of " + tiles.size() + " tiles colored by " + measurement)
