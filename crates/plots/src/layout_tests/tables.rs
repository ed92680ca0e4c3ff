//! Layouts of tables, bars, matrices of numbers and diagrams.

use super::{HOSTILE, check, texts};
use crate::{Bar, Bars, CellInk, ColorMap, Column, Diagram, DiagramLayer, Figure, LayerFamily, NumberMatrix, Table};

#[test]
fn tables_of_all_sizes_and_names_fit() {
    for name in HOSTILE {
        for rows in [0_usize, 1, 10, 100] {
            check(&Table {
                title: name.into(),
                subtitle: name.into(),
                columns: vec![Column::text(name), Column::number(name), Column::number("support")],
                rows: vec![vec![name.into(), name.into(), "1,000".into()]; rows],
                totals: vec![vec!["mean".into(), String::new(), name.into()]; rows.min(2)],
            });
        }
    }
    check(&Table::default());
}

#[test]
fn a_row_with_too_few_cells_is_an_error() {
    let table = Table { columns: vec![Column::text("a"); 2], rows: vec![vec!["only".into()]], ..Table::default() };
    let error = table.scene().expect_err("a contradiction").to_string();
    assert_eq!(error, "table, row 0: expected 2 cells, one for each column, found 1");
}

#[test]
fn bars_survive_hostile_values_and_names() {
    for name in HOSTILE {
        for count in [0_usize, 1, 10, 100] {
            for value in [0.0, 1.0, -1.0, f64::NAN, f64::INFINITY, 1e300] {
                let bar = Bar { name: name.into(), value, text: name.into() };
                check(&Bars { title: name.into(), subtitle: name.into(), bars: vec![bar; count] });
            }
        }
    }
}

#[test]
fn matrices_of_all_sizes_and_values_fit() {
    for (rows, columns) in [(0, 0), (1, 1), (28, 28), (5, 10), (3, 60)] {
        for value in [255.0, -3.5, f64::NAN, 1e9] {
            for colors in [ColorMap::Gray, ColorMap::Summer] {
                let mut values = vec![vec![value; columns]; rows];
                if let Some(first) = values.first_mut().and_then(|row| row.first_mut()) {
                    *first = 1.0;
                }
                check(&NumberMatrix {
                    title: "Pixels".into(),
                    subtitle: "Ankle boot".into(),
                    row_names: (0..rows).map(|row| row.to_string()).collect(),
                    column_names: (0..columns).map(|column| column.to_string()).collect(),
                    values,
                    colors,
                    ink: CellInk::WhiteBelow(102.0),
                    ..NumberMatrix::default()
                });
            }
        }
    }
}

#[test]
fn matrices_survive_hostile_names() {
    for name in HOSTILE {
        for count in [1_usize, 10, 30] {
            check(&NumberMatrix {
                title: name.into(),
                subtitle: name.into(),
                row_names: vec![name.into(); count],
                column_names: vec![name.into(); count],
                values: vec![vec![0.25; count]; count],
                decimals: 2,
                ..NumberMatrix::default()
            });
        }
    }
}

#[test]
fn diagrams_of_all_depths_and_names_fit() {
    for name in HOSTILE {
        for count in [0_usize, 1, 5, 16, 17, 40, 100] {
            for parameters in ["", name] {
                let layer = DiagramLayer {
                    name: name.into(),
                    kind: name.into(),
                    output: name.into(),
                    parameters: parameters.into(),
                    family: LayerFamily::Dense,
                };
                check(&Diagram { title: name.into(), subtitle: name.into(), layers: vec![layer; count] });
            }
        }
    }
}

#[test]
fn a_diagram_without_layers_says_so() {
    assert_eq!(texts(&check(&Diagram::default())), ["There are no layers to show."]);
}
