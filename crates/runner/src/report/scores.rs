//! Precision, recall, F1 and support of every class, as a table.

use plots::{Column, Table, thousands};

use crate::run_dir::Summary;

/// The scores of the tested images, class by class, with their means. `tested` says what they are called, as in "test".
pub(super) fn class_report(name: &str, tested: &str, summary: &Summary) -> Table {
    let score = |value: f64| format!("{value:.3}");
    let samples = thousands(summary.test.classes.iter().map(|class| class.support).sum::<u64>());
    let rows = summary.test.classes.iter().map(|class| {
        let [precision, recall, f1] = [class.precision, class.recall, class.f1].map(score);
        vec![class.class.clone(), precision, recall, f1, thousands(class.support)]
    });
    let test = &summary.test;
    let [precision, recall, f1] = [test.macro_precision, test.macro_recall, test.macro_f1].map(score);
    Table {
        title: format!("{name}: scores per class"),
        subtitle: format!("{tested} accuracy {:.4}", summary.test_accuracy),
        columns: vec![
            Column::text("class"),
            Column::number("precision"),
            Column::number("recall"),
            Column::number("F1"),
            Column::number("support"),
        ],
        rows: rows.collect(),
        totals: vec![vec!["mean of the classes".to_owned(), precision, recall, f1, samples]],
    }
}
