//! A small curve in a cell, as an SVG image that stands in the page itself.

use std::fmt::Write as _;

use super::cell::escaped;

/// Height of the image in its own units; a point is one unit wide.
const HEIGHT: u64 = 16;

/// A curve of these values, the oldest first, that ends at the right of `width` points, with the name that a pointer or a screen reader is told.
/// Nothing for a curve that would be a flat line at 0.
pub fn curve(class: &str, name: &str, values: &[u64], width: usize) -> String {
    let most = values.iter().copied().max().unwrap_or(0);
    if most == 0 || values.len() < 2 {
        return String::new();
    }
    let (begin, end) = (width.saturating_sub(values.len()), width.saturating_sub(1));
    let (name, mut line) = (escaped(name), String::new());
    for (x, &value) in (begin..).zip(values) {
        let y = HEIGHT as f64 - 1.0 - (HEIGHT - 2) as f64 * (value as f64 / most as f64);
        write!(line, "{}{x} {y:.1}", if x == begin { "M" } else { "L" })
            .expect("writing to a String cannot fail");
    }
    format!(
        "<svg class=\"curve {class}\" viewBox=\"0 0 {end} {HEIGHT}\" preserveAspectRatio=none role=img>\
         <title>{name}</title><path class=area d=\"{line}V{HEIGHT}H{begin}Z\"/><path class=line d=\"{line}\"/></svg>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_touches_the_top_and_nothing_the_ground() {
        let image = curve("bytes", "a < b", &[0, 5, 10], 4);
        assert!(image.contains("d=\"M1 15.0L2 8.0L3 1.0\""), "{image}");
        assert!(image.contains("viewBox=\"0 0 3 16\"") && image.contains("<title>a &lt; b</title>"));
    }

    #[test]
    fn where_nothing_happened_there_is_no_curve() {
        assert_eq!(
            (curve("", "", &[], 9), curve("", "", &[0; 60], 60), curve("", "", &[1], 9)),
            Default::default()
        );
        assert!(curve("", "", &[u64::MAX, 0], 2).contains("M0 1.0L1 15.0"));
    }
}
