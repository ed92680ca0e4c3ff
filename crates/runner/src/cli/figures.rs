//! `runner figures EXPERIMENT|RUN_DIR|DATASET`: every figure there is to draw.

use std::path::{Path, PathBuf};

use clap::Args;
use data::{LocateOptions, Source};

use super::args::{Drawing, Fetching};
use crate::{
    backend,
    error::Error,
    experiment::{self, BackendName, Overrides},
    figures::{self, EmbeddedPart, Group, Options},
    report,
    run_dir::RunDir,
};

/// What to draw.
#[derive(Debug, Args)]
pub(super) struct FiguresArguments {
    /// An experiment file, for its latest run; a run directory, such as results/cnn3/latest; or a data set, such as
    /// fashion-mnist
    #[arg(value_name = "EXPERIMENT|RUN_DIR|DATASET")]
    target: PathBuf,
    /// Draw only these groups of figures [default: all]
    #[arg(long, value_enum, value_name = "GROUP")]
    only: Vec<Group>,
    /// Image that gets figures of its own: a test image of a run, a training image of a data set
    #[arg(long, value_name = "N")]
    index: Vec<usize>,
    /// Channel of the first convolution to show large [default: the eight that vary most]
    #[arg(long, value_name = "N")]
    channel: Vec<usize>,
    /// Layer to embed, by its name in the model's summary, or "pixels" [default: pixels and the last hidden layer]
    #[arg(long, value_name = "NAME")]
    layer: Vec<String>,
    /// Images of a run to embed
    #[arg(long, value_enum, default_value_t)]
    part: EmbeddedPart,
    /// Embed the first N images
    #[arg(long, value_name = "N", default_value_t = 2500)]
    images: usize,
    /// Principal components to show: two or three of the first ten [default: 1,2 and 1,2,3]
    #[arg(long, value_name = "N,N", value_delimiter = ',')]
    components: Vec<usize>,
    /// Classes that the custom axis leads from and to [default: the two most often confused]
    #[arg(long, num_args = 2, value_names = ["FROM", "TO"])]
    axis: Option<Vec<String>>,
    /// Perplexity of t-SNE: about how many neighbours count
    #[arg(long, value_name = "P", default_value_t = embed::Tsne::default().perplexity)]
    perplexity: f32,
    /// Seed of t-SNE
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Folder of run directories, and of data sets' figures
    #[arg(long, value_name = "DIR", default_value = "results")]
    results_dir: PathBuf,
    /// Folder with the data set's IDX files
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    #[command(flatten)]
    fetching: Fetching,
    #[command(flatten)]
    drawing: Drawing,
}

pub(super) fn figures(arguments: &FiguresArguments) -> Result<(), Error> {
    let options = arguments.options();
    options.validate()?;
    for path in arguments.draw(&options)? {
        super::answer(&path.display())?;
    }
    Ok(())
}

impl FiguresArguments {
    fn draw(&self, options: &Options) -> Result<Vec<PathBuf>, Error> {
        let target = &self.target;
        if target.extension().is_some_and(|extension| extension == "toml") {
            let name = match experiment::load_xor(target, &Overrides::default())? {
                Some(xor) => xor.experiment.name,
                None => experiment::load(target, &Overrides::default())?.experiment.name,
            };
            let latest = self.results_dir.join(&name).join("latest");
            if !latest.exists() {
                let message = format!("{}: there is no run of {name} yet; train it first", latest.display());
                return Err(Error::Usage(message));
            }
            return self.draw_run(&latest, options);
        }
        if target.is_dir() {
            return self.draw_run(target, options);
        }
        let known: Vec<&str> = data::all().iter().map(|info| info.name).collect();
        let Some(info) = target.to_str().and_then(data::find) else {
            return Err(Error::Usage(format!(
                "{}: neither an experiment file (.toml) nor a run directory nor a data set; data sets are {}",
                target.display(),
                known.join(", ")
            )));
        };
        let locate = LocateOptions { data_dir: self.data_dir.clone(), ..self.fetching.options() };
        let files = data::locate(&Source::Named(info), &locate)?;
        Ok(figures::draw_dataset(&files, &self.results_dir, options)?.into_written())
    }

    fn draw_run(&self, path: &Path, options: &Options) -> Result<Vec<PathBuf>, Error> {
        let run = RunDir::open(path)?;
        if experiment::load_xor(&run.config_path(), &Overrides::default())?.is_some() {
            if !options.draws(Group::Records) {
                let message = "an experiment of kind `xor` has neither images nor layers: ask for --only records";
                return Err(Error::Usage(message.to_owned()));
            }
            return report::draw(&run, options.formats);
        }
        let overrides = Overrides { data_dir: self.data_dir.clone(), ..Overrides::default() };
        let resolved = experiment::load(&run.config_path(), &overrides)?;
        // Pictures need no GPU, and on the CPU they are the same everywhere.
        let backend = backend::select(BackendName::Flex)?;
        Ok(figures::draw_run(&run, &resolved, &backend, &self.fetching.options(), options)?.into_written())
    }

    fn options(&self) -> Options {
        Options {
            formats: self.drawing.formats(),
            groups: self.only.clone(),
            indices: self.index.clone(),
            channels: self.channel.clone(),
            layers: self.layer.clone(),
            part: self.part,
            images: self.images,
            components: self.components.clone(),
            axis: self.axis.clone().and_then(|names| names.try_into().ok()),
            tsne: embed::Tsne { perplexity: self.perplexity, seed: self.seed, ..embed::Tsne::default() },
        }
    }
}
