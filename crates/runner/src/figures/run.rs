//! Figures of one run, from its records, its weights and the data set.

use std::{iter, sync::Arc};

use burn::{module::Module, tensor::Tensor};
use data::{Dataset, Loader, LocateOptions};
use models::{LayerOutput, Model, ModelConfig, Summary, UnknownLayer};
use plots::thousands;

use super::{
    EmbeddedPart, Group, Options, Output, activations, chosen_indices, embeddings, model, predictions, projector,
};
use crate::{
    backend::Backend,
    error::Error,
    evaluate::host,
    experiment::{Experiment, Resolved},
    pipeline::{self, TrainingData},
    report,
    run_dir::{PredictionRow, RunDir},
    tables,
    transfer::{self, FrozenBase},
};

/// The embedding of the pixels themselves, among those of layers.
const PIXELS: &str = "pixels";

/// Draws the figures of a run into its directory, and returns the files written.
///
/// Of a run that is not finished only what its records tell, and the model.
///
/// # Errors
///
/// [`Error::Usage`] for an image, a layer or a class that there is not; [`Error::Data`], [`Error::Weights`],
/// [`Error::Malformed`], [`Error::Plot`], [`Error::Embed`], [`Error::Io`].
pub fn draw_run(
    run: &RunDir,
    resolved: &Resolved,
    backend: &Backend,
    locate: &LocateOptions,
    options: &Options,
) -> Result<Output, Error> {
    options.validate()?;
    let experiment = &resolved.experiment;
    let mut output = Output::new(run.figures(), "plots/", options.formats);
    if options.draws(Group::Records) {
        output.also(report::draw(run, options.formats)?);
    }
    let others = [Group::Model, Group::Predictions, Group::Activations, Group::Embeddings];
    if !others.into_iter().any(|group| options.draws(group)) {
        return Ok(output);
    }
    let files = pipeline::locate(&experiment.data, locate.clone())?;
    let data = TrainingData::load(&files, &experiment.data)?;
    let classes = data.dataset.num_classes();
    let summary = experiment
        .model
        .summary(data.input_shape(), classes)
        .map_err(|fault| resolved.invalid(&format!("model.{}", fault.field), &fault.message))?;
    if options.draws(Group::Model) {
        let name = experiment.model.name();
        output.file("plots/model.txt", format!("{}\n", tables::model(name, &summary)).as_bytes())?;
        let diagram = model::diagram(&experiment.name, name, data.input_shape(), &summary);
        output.figure("model", &diagram)?;
    }
    if run.summary()?.is_none() {
        tracing::warn!("the run is not finished: figures of test images and of its network are left out");
        return Ok(output);
    }

    let fresh = experiment.model.init_seeded(data.input_shape(), classes, experiment.training.seed);
    let network = models::from_safetensors(fresh, &run.weights()?)?.fork(&backend.device);
    // The base of a transfer is only read, and its features looked up, where the network is to see anything.
    let runs_network = options.draws(Group::Activations) || options.draws(Group::Embeddings);
    let base = if runs_network { FrozenBase::open(experiment, &files, backend, locate)? } else { None };
    let (test, loader) = transfer::test_data(base.as_ref(), &files, experiment, &data, &mut |_| Ok(()))?;
    let rows = run.predictions(test.class_names())?;
    if rows.len() != test.len() {
        let found = rows.len();
        return Err(
            run.malformed_predictions(format!("expected {} rows, one for each test image, found {found}", test.len()))
        );
    }
    let finished = Finished { experiment, backend, data: &data, base, network, summary, test, loader, rows };
    if options.draws(Group::Predictions) {
        finished.predictions(&mut output, options)?;
    }
    if options.draws(Group::Activations) {
        finished.activations(&mut output, options)?;
    }
    if options.draws(Group::Embeddings) {
        finished.embeddings(&mut output, options)?;
    }
    Ok(output)
}

/// A run whose test set may be looked at.
struct Finished<'a> {
    experiment: &'a Experiment,
    backend: &'a Backend,
    data: &'a TrainingData,
    /// What comes before the network of a transfer, where the network is to see anything.
    base: Option<FrozenBase>,
    network: Model,
    summary: Summary,
    test: Arc<Dataset>,
    /// Over the test images in their order.
    loader: Loader,
    rows: Vec<PredictionRow>,
}

impl Finished<'_> {
    fn predictions(&self, output: &mut Output, options: &Options) -> Result<(), Error> {
        let tested =
            predictions::Tested { part: self.experiment.data.test.word(), images: &self.test, rows: &self.rows };
        predictions::draw(output, &self.experiment.name, &tested, options)
    }

    fn activations(&self, output: &mut Output, options: &Options) -> Result<(), Error> {
        let layers = activations::convolutions(&self.summary);
        if layers.is_empty() {
            tracing::info!("{} has no convolution, and so no maps", self.experiment.model.name());
            return Ok(());
        }
        for index in chosen_indices(&options.indices, &[0], self.test.len(), "test images")? {
            let found = if let Some(base) = &self.base {
                let indices = [index];
                let mut found = base.activations((&self.test, &indices), self.data, self.experiment, &layers);
                found.next().expect("a batch of one image")
            } else {
                self.network.activations(self.seen_image(index), &layers).map(|found| found.layers)
            };
            let found = found.map_err(|error| Error::Usage(error.to_string()))?;
            let shown = (self.experiment.name.as_str(), &*self.test, index);
            activations::draw(output, found, shown, &options.channels)?;
        }
        Ok(())
    }

    /// Whether the network sees features of a frozen base in the place of images.
    fn is_transfer(&self) -> bool {
        matches!(self.experiment.model, ModelConfig::Transfer(_))
    }

    /// A test image as the network sees it.
    fn seen_image(&self, index: usize) -> Tensor<4> {
        let batch_size = self.experiment.training.eval_batch_size;
        let mut batches = self.loader.epoch(0, &self.backend.device);
        let batch = batches.nth(index / batch_size).expect("the loader serves every test image");
        batch.images.narrow(0, index % batch_size, 1)
    }

    fn embeddings(&self, output: &mut Output, options: &Options) -> Result<(), Error> {
        let (dataset, all, word) = match options.part {
            EmbeddedPart::Train => (&self.data.dataset, self.data.train.clone(), "training"),
            EmbeddedPart::Valid => (&self.data.dataset, self.data.valid.clone(), "validation"),
            EmbeddedPart::Test => (&self.test, (0..self.test.len()).collect(), self.experiment.data.test.word()),
        };
        if all.is_empty() {
            return Err(Error::Usage(format!("--part: the run has no {word} images")));
        }
        let indices: Vec<usize> = all.into_iter().take(options.images).collect();
        let labels: Vec<usize> = indices.iter().map(|&index| usize::from(dataset.label(index))).collect();
        let axis = embeddings::axis_classes(options, dataset.class_names(), self.most_confused())?;
        let names = self.embedded_layers(options);

        let images = format!("{} {word} images", thousands(indices.len() as u64));
        let mut sources = Vec::with_capacity(names.len());
        let layers: Vec<&str> = names.iter().map(String::as_str).filter(|name| *name != PIXELS).collect();
        let mut outputs = self.layer_outputs(dataset, &indices, &layers, options.part)?.into_iter();
        for name in &names {
            let (what, rows) = if name == PIXELS {
                (format!("raw pixels of {images}"), embeddings::pixels(dataset, indices.iter().copied())?)
            } else {
                let rows = outputs.next().expect("one for each layer asked for");
                (format!("the output of {name} for {images}"), rows)
            };
            let class_names = dataset.class_names();
            let owner = &self.experiment.name;
            let (images, labels) = (indices.clone(), labels.clone());
            sources.push(embeddings::Source { owner, what, name, class_names, images, labels, rows });
        }
        for source in &sources {
            embeddings::draw(output, source, axis, options)?;
        }
        let predicted: Vec<usize> = indices.iter().filter_map(|&index| Some(self.rows.get(index)?.predicted)).collect();
        let predicted = (options.part == EmbeddedPart::Test).then_some(predicted.as_slice());
        projector::write(output, "projector/", dataset, &indices, predicted, &sources)
    }

    /// The layers asked for; else the pixels, and the last layer before the head.
    fn embedded_layers(&self, options: &Options) -> Vec<String> {
        if !options.layers.is_empty() {
            return options.layers.clone();
        }
        let last = self.summary.layers.iter().rev().skip(1).find(|layer| layer.parameters > 0);
        iter::once(PIXELS.to_owned()).chain(last.map(|layer| layer.name.clone())).collect()
    }

    /// A loader of what the network sees of the first images of a part.
    fn seen_loader(&self, dataset: &Arc<Dataset>, indices: &[usize], part: EmbeddedPart) -> Result<Loader, Error> {
        if part == EmbeddedPart::Test {
            return Ok(self.loader.clone());
        }
        if self.is_transfer() {
            let message = "--part: layers behind a transfer's base are embedded for test images only; ask for pixels or for \
                           a layer of the base";
            return Err(Error::Usage(message.to_owned()));
        }
        let experiment = self.experiment;
        let config = pipeline::eval_config(experiment);
        let normalizer = match part {
            EmbeddedPart::Valid => &self.data.valid_normalizer,
            EmbeddedPart::Train | EmbeddedPart::Test => &self.data.normalizer,
        };
        Ok(pipeline::image_loader(dataset, indices.to_vec(), normalizer, None, &experiment.data, config))
    }

    /// What layers put out for some images, one row for each image.
    fn layer_outputs(
        &self,
        dataset: &Arc<Dataset>,
        indices: &[usize],
        layers: &[&str],
        part: EmbeddedPart,
    ) -> Result<Vec<embed::Rows>, Error> {
        for layer in self.summary.layers.iter().filter(|layer| layers.contains(&layer.name.as_str())) {
            embeddings::check_size(&layer.name, indices.len(), layer.output_shape.iter().product())?;
        }
        if layers.is_empty() {
            return Ok(Vec::new());
        }
        let mut found: Vec<(Vec<f32>, usize)> = vec![(Vec::new(), 0); layers.len()];
        let mut add = |positions: &[usize], outputs: Result<Vec<LayerOutput>, UnknownLayer>| {
            let outputs = outputs.map_err(|error| Error::Usage(format!("--layer: {error}")))?;
            for (&position, output) in positions.iter().zip(outputs) {
                let (values, width) = &mut found[position];
                *width = output.shape.iter().product();
                values.extend(host(output.values));
            }
            Ok::<(), Error>(())
        };
        let names = |positions: &[usize]| positions.iter().map(|&position| layers[position]).collect::<Vec<_>>();
        let (of_base, of_network): (Vec<usize>, Vec<usize>) =
            (0..layers.len()).partition(|&position| self.is_of_base(layers[position]));
        if let Some(base) = self.base.as_ref().filter(|_| !of_base.is_empty()) {
            let names = names(&of_base);
            for outputs in base.activations((dataset, indices), self.data, self.experiment, &names) {
                add(&of_base, outputs)?;
            }
        }
        if !of_network.is_empty() {
            let names = names(&of_network);
            let loader = self.seen_loader(dataset, indices, part)?;
            // The test loader goes on to the last image; those wanted are the first.
            let batches = indices.len().div_ceil(self.experiment.training.eval_batch_size);
            for batch in loader.epoch(0, &self.backend.device).take(batches) {
                add(&of_network, self.network.activations(batch.images, &names).map(|outputs| outputs.layers))?;
            }
        }
        let rows = found.into_iter().map(|(mut values, width)| {
            values.truncate(indices.len() * width);
            embed::Rows::new(values, width)
        });
        rows.collect::<Result<_, _>>().map_err(embeddings::failed("layer outputs"))
    }

    /// Whether a layer is of the frozen base, whose rows come before the first one of features without pixels.
    fn is_of_base(&self, name: &str) -> bool {
        let mut maps = self.summary.layers.iter().take_while(|layer| layer.output_shape.len() > 1);
        self.base.is_some() && maps.any(|layer| layer.name == name)
    }

    /// The true class and the wrong one that it was most often taken for.
    fn most_confused(&self) -> (usize, usize) {
        let classes = self.test.num_classes();
        let mut counts = vec![0_usize; classes * classes];
        for row in self.rows.iter().filter(|row| row.truth != row.predicted) {
            counts[row.truth * classes + row.predicted] += 1;
        }
        // The first of equals, in the order of the labels.
        let most = counts.iter().enumerate().rev().max_by_key(|(_, count)| **count).filter(|(_, count)| **count > 0);
        most.map_or((0, 1.min(classes.saturating_sub(1))), |(index, _)| (index / classes, index % classes))
    }
}
