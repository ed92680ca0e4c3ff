//! Tables of text for people.

use comfy_table::{CellAlignment, Table, presets};
use models::Summary;
use plots::thousands;

/// The layers of a model as a table with totals.
#[must_use]
pub fn model(name: &str, summary: &Summary) -> String {
    let mut table = plain(&["layer", "kind", "output shape", "parameters", "multiply-adds"], 3);
    for layer in &summary.layers {
        let shape: Vec<String> = layer.output_shape.iter().map(usize::to_string).collect();
        table.add_row([
            layer.name.clone(),
            layer.kind.clone(),
            shape.join(" × "),
            thousands(layer.parameters as u64),
            thousands(layer.multiply_adds),
        ]);
    }
    let totals = summary.totals();
    let frozen = match totals.non_trainable {
        0 => String::new(),
        count => format!(", of which {} are not trained", thousands(count as u64)),
    };
    format!(
        "{table}\n{name}: {} parameters{frozen}; {} multiply-adds per image",
        thousands(totals.parameters as u64),
        thousands(totals.multiply_adds),
    )
}

/// A plain table; columns from `first_number` on, but for "about", are numbers, aligned right.
#[must_use]
pub fn plain(header: &[&str], first_number: usize) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY).set_header(header.iter().copied());
    for (index, name) in header.iter().enumerate().skip(first_number) {
        if let Some(column) = table.column_mut(index)
            && *name != "about"
        {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}
