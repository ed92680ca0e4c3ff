//! `runner data fetch|verify|list`: data sets without training.

use data::{DatasetInfo, FileStatus, LocateOptions, Network, Source};

use super::args::{DataAction, DataArguments, DataSetArguments};
use crate::{error::Error, tables};

pub(super) fn dispatch(arguments: &DataArguments) -> Result<(), Error> {
    match &arguments.action {
        DataAction::Fetch(wanted) => fetch(wanted),
        DataAction::Verify(wanted) => verify(wanted),
        DataAction::List(wanted) => list(wanted),
    }
}

fn options(arguments: &DataSetArguments) -> LocateOptions {
    LocateOptions { data_dir: arguments.data_dir.clone(), ..arguments.fetching.options() }
}

fn offline(arguments: &DataSetArguments) -> LocateOptions {
    LocateOptions { network: Network::Forbidden, ..options(arguments) }
}

/// The data sets meant: the named one, or all.
fn wanted(arguments: &DataSetArguments) -> Result<Vec<&'static DatasetInfo>, Error> {
    let Some(name) = &arguments.name else { return Ok(data::all().iter().collect()) };
    data::find(name).map(|info| vec![info]).ok_or_else(|| {
        let known: Vec<&str> = data::all().iter().map(|info| info.name).collect();
        Error::Usage(format!("no data set is called {name:?}; known are {}", known.join(", ")))
    })
}

fn fetch(arguments: &DataSetArguments) -> Result<(), Error> {
    for info in wanted(arguments)? {
        print_files(info, &options(arguments))?;
    }
    Ok(())
}

fn verify(arguments: &DataSetArguments) -> Result<(), Error> {
    for info in wanted(arguments)? {
        print_files(info, &offline(arguments))?;
    }
    Ok(())
}

fn print_files(info: &'static DatasetInfo, options: &LocateOptions) -> Result<(), Error> {
    let files = data::locate(&Source::Named(info), options)?;
    super::answer(&format!("{}: {}", info.name, files.origin()))?;
    for file in files.files() {
        super::answer(&format!("  {}  {}", file.sha256, file.path.display()))?;
    }
    Ok(())
}

/// Shows every data set and every place where it is looked for.
fn list(arguments: &DataSetArguments) -> Result<(), Error> {
    let mut table = tables::plain(&["data set", "about", "place", "files"], 4);
    for info in wanted(arguments)? {
        for (index, place) in data::status(info, &offline(arguments)).into_iter().enumerate() {
            let (name, title) = if index == 0 { (info.name, info.title) } else { ("", "") };
            table.add_row([
                name.to_owned(),
                title.to_owned(),
                place.origin.folder().display().to_string(),
                describe(&place.files),
            ]);
        }
    }
    super::answer(&table)
}

fn describe(files: &[FileStatus]) -> String {
    let count = |kind: fn(&FileStatus) -> bool| files.iter().filter(|file| kind(file)).count();
    let verified = count(|file| matches!(file, FileStatus::Verified(_)));
    let wrong = count(|file| matches!(file, FileStatus::Wrong(_)));
    match (verified, wrong) {
        (0, 0) => "not here".to_owned(),
        (verified, 0) => format!("{verified} of {} verified", files.len()),
        (verified, wrong) => format!("{verified} of {} verified, {wrong} wrong", files.len()),
    }
}
